/* All headers of a response in one call. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

/* Name and value of each field, NUL-terminated, one after the other, in *packed for the caller to give to
 * easy_free_text; *size bytes. */
int easy_headers(easy *e, unsigned origin, int request, char **packed, size_t *size)
{
  struct curl_header *field = NULL;
  size_t room = 0;
  int code = easy_enter_to_look(e);

  *packed = NULL;
  *size = 0;
  if(code)
    return code;
  while((field = curl_easy_nextheader(e->curl, origin, request, field)) != NULL) {
    size_t name = strlen(field->name) + 1, value = strlen(field->value) + 1;

    if(room < *size + name + value) {
      char *larger;

      room = 2 * room + name + value + 1024;
      larger = realloc(*packed, room);
      if(!larger) {
        free(*packed);
        *packed = NULL;
        *size = 0;
        code = CURLE_OUT_OF_MEMORY;
        break;
      }
      *packed = larger;
    }
    memcpy(*packed + *size, field->name, name);
    memcpy(*packed + *size + name, field->value, value);
    *size += name + value;
  }
  easy_leave(e);
  return code;
}
