/* What a classic handle is set to, for unset and duphandle, which set it again.
 *
 * The last one set stands last: some options mean the same to libcurl, or choose the method of a request.
 * Numbers and texts are here, the strings of a list where libcurl has them, anything else is Python's: of
 * that, and of a list, a note says no more than where it stands. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

void notes_forget(easy *e)
{
  while(e->note_count)
    free(e->notes[--e->note_count].text);
}

void notes_free(easy *e)
{
  notes_forget(e);
  free(e->notes);
  e->notes = NULL;
}

/* Room for one more, made for eight at a time. Answers 0 when out of memory. */
static int has_room(easy *e)
{
  note *larger;

  if(e->notes && e->note_count % 8)
    return 1;
  larger = realloc(e->notes, ((size_t)e->note_count + 8) * sizeof(*larger));
  if(larger)
    e->notes = larger;
  return larger != NULL;
}

static void forget(easy *e, int option)
{
  note *end = e->notes + e->note_count, *at = end;

  while(at-- > e->notes)
    if(at->option == option) {
      free(at->text);
      memmove(at, at + 1, (size_t)(end - at - 1) * sizeof(*at));
      e->note_count--;
      return;
    }
}

static char *copied(const char *text, size_t size)
{
  char *copy = malloc(size + 1);

  return copy ? memcpy(copy, text, size + 1) : NULL;
}

/* Answers CURLE_OUT_OF_MEMORY when it is. Room is made here and not before libcurl is told: what it has
 * to say of a value may go to the debug callback, which may set other options. */
static int add(easy *e, int option, int64_t number, char *text)
{
  note *made;

  if(!has_room(e))
    return CURLE_OUT_OF_MEMORY;
  forget(e, option);
  made = &e->notes[e->note_count++];
  made->option = option;
  made->number = number;
  made->text = text;
  return 0;
}

/* Answers 0 when out of memory. */
int notes_copy(const easy *from, easy *to)
{
  const note *at = from->notes, *end = at + from->note_count;

  for(; at < end; at++) {
    char *text = at->text ? copied(at->text, (size_t)at->number) : NULL;

    if((at->text && !text) || add(to, at->option, at->number, text)) {
      free(text);
      return 0;
    }
  }
  return 1;
}

/* By option: what Python has looked at, so that a text or a list for it can be passed on at once. */
static unsigned char short_ways[1000];

void easy_note_short(int option, int what)
{
  option -= CURLOPTTYPE_OBJECTPOINT;
  if(option >= 0 && option < (int)sizeof(short_ways))
    __atomic_store_n(&short_ways[option], (unsigned char)what, __ATOMIC_RELAXED);
}

static _Bool is_short(int option, int what)
{
  option -= CURLOPTTYPE_OBJECTPOINT;
  return option >= 0 && option < (int)sizeof(short_ways) &&
         __atomic_load_n(&short_ways[option], __ATOMIC_RELAXED) == what;
}

/* Set a number. Only of options that take nothing but numbers. */
int easy_note_number(easy *e, int option, int64_t value)
{
  int code;

  if(option == CURLOPT_POSTFIELDSIZE || option == CURLOPT_POSTFIELDSIZE_LARGE ||
     (option >= CURLOPTTYPE_OBJECTPOINT && option / 10000 != CURLOPTTYPE_OFF_T / 10000))
    return CURLE_UNKNOWN_OPTION;
  code = easy_enter(e);
  if(code)
    return code;
  code = set_number(e, option, value);
  if(!code)
    code = add(e, option, value, NULL);
  easy_leave(e);
  return code;
}

/* Set a text, unless there is a NUL inside; or unset it, which is NULL. It may be the name of a file that
 * libcurl reads or a request for a lock: the GIL is not held. */
int easy_note_any_text(easy *e, int option, const char *text, size_t size)
{
  char *copy = NULL;
  int code = text && memchr(text, 0, size) ? CURLE_BAD_FUNCTION_ARGUMENT : easy_enter(e);

  if(code)
    return code;
  if(text && !(copy = copied(text, size)))
    code = CURLE_OUT_OF_MEMORY;
  else
    code = curl_easy_setopt(e->curl, option, text);
  if(!code && text)
    code = add(e, option, (int64_t)size, copy);
  else if(!code)
    forget(e, option);
  if(code)
    free(copy);
  easy_leave(e);
  return code;
}

/* Set POSTFIELDS and their size, for which libcurl copies them. Not while it uses those that are set. */
int easy_note_post(easy *e, const char *data, size_t size)
{
  char *copy = NULL;
  int code = easy_enter(e);

  if(code)
    return code;
  if(easy_amid(e))
    code = HANDLE_DEFERRED;
  else if(size > POST_COPIED || !(copy = copied(data, size)))
    code = CURLE_OUT_OF_MEMORY;
  else
    code = set_number(e, CURLOPT_POSTFIELDSIZE_LARGE, (int64_t)size);
  if(!code)
    code = curl_easy_setopt(e->curl, CURLOPT_COPYPOSTFIELDS, data);
  if(!code)
    code = add(e, CURLOPT_POSTFIELDS, (int64_t)size, copy);
  if(code)
    free(copy);
  easy_leave(e);
  return code;
}

/* The same for a text that Python need not look at. */
int easy_note_text(easy *e, int option, const char *text, size_t size)
{
  return is_short(option, SHORT_TEXT) ? easy_note_any_text(e, option, text, size) : CURLE_UNKNOWN_OPTION;
}

/* Set a list of `count` strings with a NUL between them, unless they have others inside. */
int easy_note_list(easy *e, int option, const char *items, size_t size, int count)
{
  const char *end = items + size + (count > 0);
  int code;

  for(const char *at = items; at < end; at += strlen(at) + 1)
    count--;
  if(count || !is_short(option, SHORT_LIST))
    return CURLE_BAD_FUNCTION_ARGUMENT;
  code = easy_enter(e);
  if(code)
    return code;
  code = easy_set_list(e, option, items, (size_t)(end - items));
  if(!code)
    code = add(e, option, 0, NULL);
  easy_leave(e);
  return code;
}

/* Something else was set, or unset. */
int easy_note(easy *e, int option, int present)
{
  int code = easy_enter_again(e);

  if(code)
    return code;
  if(present)
    code = add(e, option, 0, NULL);
  else
    forget(e, option);
  easy_leave(e);
  return code;
}
