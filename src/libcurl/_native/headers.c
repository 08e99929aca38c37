/* All headers of a response in one call. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

static int add(buffer *to, const char *text)
{
  size_t size = strlen(text) + 1;

  if(to->room - to->size < size) {
    size_t room = 2 * to->room + size + 1024;
    char *larger = realloc(to->data, room);

    if(!larger)
      return CURLE_OUT_OF_MEMORY;
    to->data = larger;
    to->room = room;
  }
  memcpy(to->data + to->size, text, size);
  to->size += size;
  return 0;
}

/* The names of the fields, and their values, NUL-terminated, one after the other; for the caller to give
 * to easy_free_text, whatever is answered. */
int easy_headers(easy *e, unsigned origin, int request, buffer *names, buffer *values)
{
  struct curl_header *field = NULL;
  int code = easy_enter_to_look(e);

  if(code)
    return code;
  while(!code && (field = curl_easy_nextheader(e->curl, origin, request, field)) != NULL) {
    code = add(names, field->name);
    if(!code)
      code = add(values, field->value);
  }
  easy_leave(e);
  return code;
}
