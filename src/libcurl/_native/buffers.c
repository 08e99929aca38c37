/* A body received into memory, without Python. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

/* What a Content-Length may make us allocate before a byte has come. */
#define PRESIZE_MOST ((curl_off_t)256 << 20)
#define ROOM_LEAST 4096

static int buffer_reserve(buffer *b, size_t room)
{
  char *data;

  if(room <= b->room)
    return 1;
  data = realloc(b->data, room);
  if(!data)
    return 0;
  b->data = data;
  b->room = room;
  return 1;
}

void buffer_free(buffer *b)
{
  free(b->data);
  b->data = NULL;
  b->size = b->room = 0;
}

/* What the last transfer has collected, for the caller to free: copied where it may go on. */
int easy_take_body(easy *e, buffer *to)
{
  int code = easy_enter(e);

  memset(to, 0, sizeof(*to));
  if(code)
    return code;
  if(!e->performing && !e->joined) {
    *to = e->body;
    memset(&e->body, 0, sizeof(e->body));
  }
  else if(buffer_reserve(to, e->body.size)) {
    to->size = e->body.size;
    if(to->size)
      memcpy(to->data, e->body.data, to->size);
  }
  else
    code = CURLE_OUT_OF_MEMORY;
  easy_leave(e);
  return code;
}

/* CURLOPT_WRITEFUNCTION where the user has none: append to easy.body. */
size_t collect(char *data, size_t size, size_t count, void *p)
{
  easy *e = p;
  buffer *b = &e->body;

  size *= count;
  if(e->stopped)
    return CURL_WRITEFUNC_ERROR;
  if(b->room - b->size < size) {
    size_t room = 2 * b->room > ROOM_LEAST ? 2 * b->room : ROOM_LEAST;
    curl_off_t length = -1;

    if(b->size == 0)
      curl_easy_getinfo(e->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    if(length > 0 && length <= PRESIZE_MOST)
      room = (size_t)length;
    if(room < b->size + size)
      room = b->size + size;
    if(!buffer_reserve(b, room))
      return CURL_WRITEFUNC_ERROR;
  }
  memcpy(b->data + b->size, data, size);
  b->size += size;
  return size;
}
