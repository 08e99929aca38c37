/* Every C file of the extension, cffi's own included, starts from here. */
#ifndef LIBCURL_NATIVE_H
#define LIBCURL_NATIVE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/types.h>

#include "constants.h"
#include "cdef.h"
#include "weak.h"
#include "shims.h"

#endif
