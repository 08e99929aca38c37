/* What libcurl knows of a transfer. */
#include "internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The type of an info is part of its number. */
int easy_getinfo(easy *e, int info, found *found)
{
  int code = easy_enter_to_look(e);

  if(!code) {
    found->pointer = NULL;
    code = curl_easy_getinfo(e->curl, info, found);
    easy_leave(e);
  }
  return code;
}

/* For strings, which other calls may free: a copy, for easy_free_text; NULL where there is none. */
int easy_getinfo_text(easy *e, int info, char **text)
{
  int code = easy_enter_to_look(e);

  *text = NULL;
  if(!code) {
    char *found = NULL;

    code = curl_easy_getinfo(e->curl, info, &found);
    if(found && !(*text = strdup(found)))
      code = CURLE_OUT_OF_MEMORY;
    easy_leave(e);
  }
  return code;
}

void easy_free_text(char *text) { free(text); }

/* The short way to an info that is always there: the number itself. INT64_MIN: ask easy_getinfo. */
int64_t easy_info_number(easy *e, int info)
{
  int64_t found = INT64_MIN;

  if(!easy_enter_to_look(e)) {
    long number = 0;
    curl_off_t offset = 0;

    if((info & CURLINFO_TYPEMASK) == CURLINFO_OFF_T) {
      if(!curl_easy_getinfo(e->curl, info, &offset))
        found = offset;
    }
    else if(!curl_easy_getinfo(e->curl, info, &number))
      found = number;
    easy_leave(e);
  }
  return found;
}

/* NaN: ask easy_getinfo. */
double easy_info_real(easy *e, int info)
{
  double found = 0;

  if(easy_enter_to_look(e))
    return NAN;
  if(curl_easy_getinfo(e->curl, info, &found))
    found = NAN;
  easy_leave(e);
  return found;
}

/* A copy, in TEXT_ROOM bytes of the caller's. NULL: ask easy_getinfo_text. */
const char *easy_info_text(easy *e, int info, char *room)
{
  char *found = NULL;

  if(easy_enter_to_look(e))
    return NULL;
  if(curl_easy_getinfo(e->curl, info, &found) || (found && strlen(found) >= TEXT_ROOM))
    found = NULL;
  if(found)
    strcpy(room, found);
  easy_leave(e);
  return found ? room : NULL;
}
