/* Where a transfer's bytes go to and come from without Python: bodies into memory and into files,
 * uploads out of memory and out of files, header lines and writes to a BytesIO gathered until Python
 * has to hear of them.
 *
 * What is gathered is delivered before any callback of the same easy enters Python, and before control
 * returns to Python: a stalled server hides nothing, and the order is as if nothing had been gathered. */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

/* What a Content-Length may make us allocate before a byte has come. */
#define PRESIZE_MOST ((curl_off_t)256 << 20)
/* From here on a body is received into the bytes object that Python will return. */
#define LEND_LEAST ((curl_off_t)64 << 10)
/* From here on huge pages are worth asking for. */
#define HUGE_LEAST ((size_t)4 << 20)
/* What is kept for the next body, where this one was taken. */
#define KEEP_MOST ((size_t)64 << 10)
/* A gathered body is delivered when it has this size. */
#define GATHER_MOST ((size_t)1 << 20)
#define ROOM_LEAST 4096

static void ask_for_huge_pages(char *data, size_t size)
{
#ifdef MADV_HUGEPAGE
  const uintptr_t page = 4096;
  uintptr_t begin = ((uintptr_t)data + page - 1) & ~(page - 1);
  uintptr_t end = ((uintptr_t)data + size) & ~(page - 1);

  if(size >= HUGE_LEAST && begin < end)
    madvise((void *)begin, end - begin, MADV_HUGEPAGE);
#endif
}

static int reserve(easy *e, buffer *b, size_t room)
{
  char *data;

  if(room <= b->room)
    return 1;
  data = realloc(b->data == e->first ? NULL : b->data, room);
  if(!data)
    return 0;
  if(b->size && b->data == e->first)
    memcpy(data, b->data, b->size);
  ask_for_huge_pages(data, room);
  b->data = data;
  b->room = room;
  return 1;
}

static int append(easy *e, buffer *b, const char *data, size_t size)
{
  if(b->room - b->size < size) {
    size_t room = 2 * b->room > ROOM_LEAST ? 2 * b->room : ROOM_LEAST;

    if(!reserve(e, b, room < b->size + size ? b->size + size : room))
      return 0;
  }
  memcpy(b->data + b->size, data, size);
  b->size += size;
  return 1;
}

static void buffer_free(easy *e, buffer *b)
{
  if(b->data != e->first)
    free(b->data);
  b->data = NULL;
  b->size = b->room = 0;
}

/* The body gets memory of its own again, where it was lent one by Python. */
static int give_back(easy *e)
{
  buffer own = { NULL, 0, 0 };

  if(!e->lent)
    return 1;
  if(e->body.size && (!reserve(e, &own, 2 * e->body.size) || !append(e, &own, e->body.data, e->body.size)))
    return 0;
  e->body = own;
  e->lent = 0;
  return 1;
}

/* Small bodies are fetched into memory that stays where it is for as long as the easy, so that Python
 * can look at it without asking. NULL: out of memory. */
char *easy_first(easy *e)
{
  if(!e->first)
    e->first = malloc(FIRST_ROOM);
  return e->first;
}

/* Before a transfer: nothing is left of the last one. */
void sinks_begin(easy *e)
{
  e->body.size = 0;
  give_back(e);
  if(e->first && e->body.room <= FIRST_ROOM && e->body.data != e->first) {
    free(e->body.data);
    e->body.data = e->first;
    e->body.room = FIRST_ROOM;
  }
  if(e->lines)
    e->lines->text.size = e->lines->count = 0;
  if(e->files)
    e->files->at = e->files->error = 0;
  e->paused = e->refused = e->touched = 0;
}

void sinks_free(easy *e)
{
  e->body.size = 0;
  give_back(e);
  buffer_free(e, &e->body);
  if(e->lines) {
    free(e->lines->text.data);
    free(e->lines->sizes);
    free(e->lines);
    e->lines = NULL;
  }
  sink_close(e);
  source_close(e);
  free(e->files);
  e->files = NULL;
}

/* Python has what it wants of the body; inside the easy. */
void easy_body_taken(easy *e)
{
  e->body.size = 0;
  give_back(e);
  if(e->body.room > KEEP_MOST)
    buffer_free(e, &e->body);
}

/* libcurl reads a file: URL in one go, and cannot be told to wait. */
static int can_pause(easy *e)
{
  char *scheme = NULL;

  return curl_easy_getinfo(e->curl, CURLINFO_SCHEME, &scheme) || !scheme || strcasecmp(scheme, "file");
}

/* CURLOPT_WRITEFUNCTION where the user has none: append to easy.body. */
size_t collect(char *data, size_t size, size_t count, void *p)
{
  easy *e = p;
  buffer *b = &e->body;

  size *= count;
  if(e->stopped)
    return CURL_WRITEFUNC_ERROR;
  if(e->limited && b->size && b->size + size > STREAM_MOST && can_pause(e)) {
    e->paused = 1;
    return CURL_WRITEFUNC_PAUSE;
  }
  if(b->room - b->size < size) {
    curl_off_t length = -1;

    if((b->size == 0 || b->data == e->first) && !e->streams && !e->limited)
      curl_easy_getinfo(e->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    if(length >= LEND_LEAST && length <= PRESIZE_MOST && (size_t)length >= b->size + size) {
      char *lent = python_lend(e->id, (size_t)length);

      if(lent) {
        ask_for_huge_pages(lent, (size_t)length);
        if(b->size)
          memcpy(lent, b->data, b->size);
        if(b->data != e->first)
          free(b->data);
        b->data = lent;
        b->room = (size_t)length;
        e->lent = 1;
      }
      else if(e->stopped || !reserve(e, b, (size_t)length))
        return CURL_WRITEFUNC_ERROR;
    }
    else if(!give_back(e))
      return CURL_WRITEFUNC_ERROR;
  }
  return append(e, b, data, size) ? size : CURL_WRITEFUNC_ERROR;
}

/* CURLOPT_WRITEFUNCTION for a BytesIO: what it is to be given, in few and large pieces. */
size_t gather_body(easy *e, char *data, size_t size)
{
  if(!append(e, &e->body, data, size))
    return CURL_WRITEFUNC_ERROR;
  multi_note(e);
  if(e->body.size >= GATHER_MOST && !deliver(e))
    return CURL_WRITEFUNC_ERROR;
  return size;
}

/* CURLOPT_HEADERFUNCTION: lines, until the empty one that ends a block. */
size_t gather_line(easy *e, char *data, size_t size)
{
  struct lines *lines = e->lines;

  if(!lines)
    lines = e->lines = calloc(1, sizeof(*lines));
  if(!lines)
    return CURL_WRITEFUNC_ERROR;
  if(!lines->count && e->gathers && e->body.size && !deliver(e)) /* of trailers */
    return CURL_WRITEFUNC_ERROR;
  if(lines->count == lines->room) {
    size_t room = lines->room ? 2 * lines->room : 32;
    size_t *sizes = realloc(lines->sizes, room * sizeof(*sizes));

    if(!sizes)
      return CURL_WRITEFUNC_ERROR;
    lines->sizes = sizes;
    lines->room = room;
  }
  if(!append(e, &lines->text, data, size))
    return CURL_WRITEFUNC_ERROR;
  lines->sizes[lines->count++] = size;
  multi_note(e);
  if(size && (*data == '\r' || *data == '\n') && !deliver(e))
    return CURL_WRITEFUNC_ERROR;
  return size;
}

/* Whether there is nothing against going on: a callback that refused what it was given ends the
 * transfer, as if it had been given it when it came. */
int deliver(easy *e)
{
  struct lines *lines = e->lines;
  int done = 1;

  e->touched = 1;
  if(lines && lines->count && !e->stopped) {
    size_t count = lines->count;

    lines->count = 0;
    done = python_headers(e->id, lines->text.data, lines->text.size, lines->sizes, count) == 0;
    lines->text.size = 0;
  }
  if(done && e->gathers && e->body.size && !e->stopped) {
    size_t size = e->body.size;

    e->body.size = 0;
    done = python_write(e->id, e->body.data, size) == size;
  }
  if(!done)
    e->refused = 1;
  return done && !e->stopped && !e->refused;
}

/* Files. The descriptors are duplicates of the user's: a file that is closed in the middle of a
 * transfer does not take another's number with it. */

static void close_file(int *fd)
{
  if(*fd > 0)
    close(*fd);
  *fd = 0;
}

/* A callback, or nothing, takes the place of the file. */
void sink_close(easy *e)
{
  if(e->files)
    close_file(&e->files->sink);
}

void source_close(easy *e)
{
  if(e->files) {
    close_file(&e->files->source);
    e->files->memory = NULL;
  }
}

files *files_of(easy *e)
{
  if(!e->files)
    e->files = calloc(1, sizeof(*e->files));
  return e->files;
}

static int own_file(int *own, int fd)
{
  int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

  if(copy < 0)
    return CURLE_OUT_OF_MEMORY;
  close_file(own);
  *own = copy;
  return CURLE_OK;
}

/* CURLOPT_WRITEFUNCTION for a file. */
static size_t to_file(char *data, size_t size, size_t count, void *p)
{
  easy *e = p;
  size_t left = size * count;

  if(e->stopped)
    return CURL_WRITEFUNC_ERROR;
  if(e->touched) {
    e->touched = 0;
    if(python_flush(e->id))
      return CURL_WRITEFUNC_ERROR;
  }
  while(left) {
    ssize_t done = write(e->files->sink, data, left);

    if(done < 0 && errno == EINTR)
      continue;
    if(done < 0) {
      e->files->error = errno;
      return CURL_WRITEFUNC_ERROR;
    }
    data += done;
    left -= (size_t)done;
    e->files->written += done;
  }
  return size * count;
}

/* For a write callback that is not there any more: what libcurl has in its place. */
size_t write_without(easy *e, char *data, size_t size)
{
  if(e->files && e->files->sink)
    return to_file(data, 1, size, e);
  return e->classic ? fwrite(data, 1, size, stdout) : collect(data, 1, size, e);
}

/* The body goes to a duplicate of this descriptor, until there is another write callback. */
int easy_set_sink(easy *e, int fd)
{
  int code = easy_enter(e);

  if(code)
    return code;
  code = files_of(e) ? own_file(&e->files->sink, fd) : CURLE_OUT_OF_MEMORY;
  if(!code)
    code = curl_easy_setopt(e->curl, CURLOPT_WRITEDATA, e);
  if(!code)
    code = curl_easy_setopt(e->curl, CURLOPT_WRITEFUNCTION, to_file);
  if(!code)
    e->files->written = 0;
  easy_leave(e);
  return code;
}

/* What there is to upload where the user has set nothing. libcurl would read stdin, and wait for it. */
size_t read_nothing(char *to, size_t size, size_t count, void *p)
{
  (void)to;
  (void)size;
  (void)count;
  (void)p;
  return 0;
}

/* CURLOPT_READFUNCTION for a file or memory. The file's own position is left alone. */
static size_t from_source(char *to, size_t size, size_t count, void *p)
{
  easy *e = p;
  files *from = e->files;
  size_t most = size * count;
  curl_off_t left = from->size - from->at;
  ssize_t done;

  if(e->stopped)
    return CURL_READFUNC_ABORT;
  if(from->memory) {
    if(left < (curl_off_t)most)
      most = left > 0 ? (size_t)left : 0;
    memcpy(to, from->memory + from->at, most);
    from->at += (curl_off_t)most;
    return most;
  }
  do
    done = pread(from->source, to, most, from->begin + from->at);
  while(done < 0 && errno == EINTR);
  if(done < 0) {
    from->error = errno;
    return CURL_READFUNC_ABORT;
  }
  if(!done && left > 0)
    return CURL_READFUNC_ABORT; /* the file has shrunk: the server would wait for the rest */
  from->at += done;
  return (size_t)done;
}

/* CURLOPT_SEEKFUNCTION for the same. */
static int seek_source(void *p, curl_off_t offset, int origin)
{
  files *from = ((easy *)p)->files;

  if(origin == SEEK_CUR)
    offset += from->at;
  else if(origin == SEEK_END)
    offset += from->size;
  if(offset < 0 || offset > from->size)
    return CURL_SEEKFUNC_FAIL;
  from->at = offset;
  return CURL_SEEKFUNC_OK;
}

/* Upload `size` bytes: of memory, which Python owns, or where it is NULL of a file from `begin` on. */
int easy_set_source(easy *e, const char *data, int fd, curl_off_t begin, curl_off_t size)
{
  int code = easy_enter(e);

  if(code)
    return code;
  if(!files_of(e))
    code = CURLE_OUT_OF_MEMORY;
  else if(!data)
    code = own_file(&e->files->source, fd);
  if(!code) {
    e->files->memory = data;
    e->files->begin = begin;
    e->files->size = size;
    e->files->at = 0;
    code = curl_easy_setopt(e->curl, CURLOPT_READDATA, e);
  }
  if(!code)
    code = curl_easy_setopt(e->curl, CURLOPT_READFUNCTION, from_source);
  if(!code)
    code = curl_easy_setopt(e->curl, CURLOPT_SEEKDATA, e);
  if(!code)
    code = curl_easy_setopt(e->curl, CURLOPT_SEEKFUNCTION, seek_source);
  easy_leave(e);
  return code;
}
