/* Typed doors to the variadic curl_easy_setopt, and the lists that libcurl does not copy. */
#include "internal.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A list that an option of this handle points to. Its owner is the easy, which frees it when the
 * option gets another one, and after curl_easy_cleanup. */
struct kept {
  CURLoption option;
  struct curl_slist *list;
  struct kept *next;
};

void kept_free(struct kept *kept)
{
  while(kept) {
    struct kept *next = kept->next;

    curl_slist_free_all(kept->list);
    free(kept);
    kept = next;
  }
}

/* What a transfer in progress may have been using still when it was replaced. */
void kept_purge(struct kept **at)
{
  while(*at) {
    struct kept *kept = *at;

    if(kept->option) {
      at = &kept->next;
      continue;
    }
    *at = kept->next;
    kept->next = NULL;
    kept_free(kept);
  }
}

/* For curl_easy_duphandle, which copies the pointers: lists of the duplicate's own. */
struct kept *kept_copy(const struct kept *kept, CURL *curl)
{
  struct kept *copies = NULL;

  for(; kept; kept = kept->next) {
    struct kept *copy = calloc(1, sizeof(*copy));
    const struct curl_slist *item;

    if(!kept->option) {
      free(copy);
      continue;
    }
    if(!copy) {
      curl_easy_setopt(curl, kept->option, NULL);
      continue;
    }
    copy->option = kept->option;
    for(item = kept->list; item; item = item->next)
      list_append(&copy->list, item->data);
    copy->next = copies;
    copies = copy;
    curl_easy_setopt(curl, kept->option, copy->list);
  }
  return copies;
}

/* Inside the easy. LONG, VALUES and OFF_T differ in their C type, which the option's number tells. */
CURLcode set_number(easy *e, CURLoption option, int64_t value)
{
  if(option == CURLOPT_BUFFERSIZE || option == CURLOPT_UPLOAD_BUFFERSIZE)
    e->buffers = BUFFERS_CHOSEN;
  if(option == CURLOPT_MAXCONNECTS) {
    e->maxconnects = value > INT_MAX ? INT_MAX : (int)value;
    e->maxconnects_changed = 1;
  }
  return (int)option >= CURLOPTTYPE_OFF_T
           ? curl_easy_setopt(e->curl, option, (curl_off_t)value)
           : curl_easy_setopt(e->curl, option, (long)value);
}

int easy_set_number(easy *e, int option, int64_t value)
{
  int code = easy_enter(e);

  if(!code) {
    code = set_number(e, option, value);
    easy_leave(e);
  }
  return code;
}

/* A string option: libcurl copies it. NULL is allowed. */
int easy_set_text(easy *e, int option, const char *text)
{
  int code = easy_enter(e);

  if(!code) {
    code = curl_easy_setopt(e->curl, option, text);
    easy_leave(e);
  }
  return code;
}

/* A pointer that libcurl keeps: Python owns what it points to. */
int easy_set_pointer(easy *e, int option, void *pointer)
{
  int code = easy_enter(e);

  if(!code) {
    code = curl_easy_setopt(e->curl, option, pointer);
    easy_leave(e);
  }
  return code;
}

/* POSTFIELDS, which libcurl does not copy, and how much of it there is. */
int easy_set_post(easy *e, void *data, curl_off_t size)
{
  int code = easy_enter(e);

  if(!code) {
    code = curl_easy_setopt(e->curl, CURLOPT_POSTFIELDSIZE_LARGE, size);
    if(!code)
      code = curl_easy_setopt(e->curl, CURLOPT_POSTFIELDS, data);
    easy_leave(e);
  }
  return code;
}

/* Copied by libcurl; data NULL unsets. */
int easy_set_blob(easy *e, int option, void *data, size_t size)
{
  struct curl_blob blob = { data, size, CURL_BLOB_COPY };
  int code = easy_enter(e);

  if(!code) {
    code = curl_easy_setopt(e->curl, option, data ? &blob : NULL);
    easy_leave(e);
  }
  return code;
}

static struct kept *kept_for(const easy *e, CURLoption option)
{
  struct kept *kept = e->kept;

  while(kept && kept->option != option)
    kept = kept->next;
  return kept;
}

/* `items` are NUL-terminated strings one after the other, `size` bytes in all. */
static CURLcode set_list(easy *e, CURLoption option, const char *items, size_t size)
{
  int idle = !e->performing && !e->joined;
  struct kept *old = kept_for(e, option), *kept = old && idle ? old : calloc(1, sizeof(*kept));
  struct curl_slist *list = NULL;
  const char *end = items + size;
  CURLcode code = CURLE_OUT_OF_MEMORY;

  for(; kept && items < end; items += strlen(items) + 1)
    if(!list_append(&list, items))
      break;
  if(kept && items == end)
    code = curl_easy_setopt(e->curl, option, list);
  if(code) {
    curl_slist_free_all(list);
    if(kept != old)
      free(kept);
    return code;
  }
  if(kept == old)
    curl_slist_free_all(old->list);
  else {
    if(old)
      old->option = 0;
    kept->option = option;
    kept->next = e->kept;
    e->kept = kept;
  }
  kept->list = list;
  if(idle)
    kept_purge(&e->kept);
  return code;
}

int easy_set_list(easy *e, int option, const char *items, size_t size)
{
  int code = easy_enter(e);

  if(!code) {
    code = set_list(e, option, items, size);
    easy_leave(e);
  }
  return code;
}

/* What a list option points to, for those who have entered: NULL for an empty list, or none. */
struct curl_slist *easy_list(easy *e, int option)
{
  const struct kept *kept = kept_for(e, (CURLoption)option);

  return kept ? kept->list : NULL;
}

/* libcurl's chatter goes to a FILE on a duplicate of `fd`; -1 gives it stderr again. */
int easy_set_stderr(easy *e, int fd)
{
  FILE *log = NULL;
  int code = easy_enter(e);

  if(code)
    return code;
  if(fd >= 0) {
    int copy = files_of(e) ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;

    log = copy < 0 ? NULL : fdopen(copy, "a");
    if(!log) {
      if(copy >= 0)
        close(copy);
      easy_leave(e);
      return CURLE_OUT_OF_MEMORY;
    }
    setvbuf(log, NULL, _IONBF, 0);
  }
  code = curl_easy_setopt(e->curl, CURLOPT_STDERR, log ? log : stderr);
  if(e->files) {
    if(e->files->log)
      fclose(e->files->log);
    e->files->log = log;
  }
  easy_leave(e);
  return code;
}

/* Many options in one call: `settings` are pairs of an option and its number, or for string options
 * the place of its text in `texts`. */
int easy_set_all(easy *e, const int64_t *settings, int count, const char *texts)
{
  int code = 0, done;

  for(done = 0; done < count; done++, settings += 2) {
    CURLoption option = (CURLoption)settings[0];

    if((int)option / 10000 == CURLOPTTYPE_OBJECTPOINT / 10000)
      code = curl_easy_setopt(e->curl, option, texts + settings[1]);
    else
      code = set_number(e, option, settings[1]);
    if(code)
      return code + done * SET_BEFORE;
  }
  return 0;
}

int easy_set_many(easy *e, const int64_t *settings, int count, const char *texts)
{
  int code = easy_enter(e);

  if(!code) {
    code = easy_set_all(e, settings, count, texts);
    easy_leave(e);
  }
  return code;
}
