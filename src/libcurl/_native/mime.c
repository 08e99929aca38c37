/* The parts of a MIME body that Python feeds. libcurl gets a number instead of a pointer, and nothing
 * to free: whoever built the parts frees them, and knows. */
#include "internal.h"

#include <string.h>

static size_t on_mime_read(char *data, size_t size, size_t count, void *part)
{
  return python_mime_read((uintptr_t)part, data, size * count);
}

static int on_mime_seek(void *part, curl_off_t offset, int origin)
{
  return python_mime_seek((uintptr_t)part, offset, origin);
}

/* curl_mime_data_cb; size -1: not known. */
int mime_source(curl_mimepart *part, uintptr_t id, curl_off_t size, int seekable)
{
  return curl_mime_data_cb(part, size, on_mime_read, seekable ? on_mime_seek : NULL, NULL,
                           (void *)id);
}

/* curl_mime_headers: `items` are NUL-terminated strings one after the other, `size` bytes in all. */
int mime_headers(curl_mimepart *part, const char *items, size_t size)
{
  struct curl_slist *list = NULL;
  const char *end = items + size;
  CURLcode code = CURLE_OUT_OF_MEMORY;

  for(; items < end; items += strlen(items) + 1)
    if(!list_append(&list, items))
      break;
  if(items == end)
    code = curl_mime_headers(part, list, 1);
  if(code)
    curl_slist_free_all(list);
  return code;
}
