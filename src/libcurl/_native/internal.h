/* What the C files share with each other and Python does not see. */
#ifndef LIBCURL_INTERNAL_H
#define LIBCURL_INTERNAL_H

#include "native.h"
#include "callbacks.h"

/* guard.c */
void guard_init(guard *);
int guard_forked(const guard *);
int guard_enter(guard *);
void guard_leave(guard *);

/* options.c */
void kept_free(struct kept *);
struct kept *kept_copy(const struct kept *, CURL *);

/* buffers.c */
size_t collect(char *data, size_t size, size_t count, void *e);
void buffer_free(buffer *);

/* sockets.c */
curl_socket_t on_open_socket(void *e, curlsocktype, struct curl_sockaddr *);
int on_socket_options(void *e, curl_socket_t, curlsocktype);

/* connected.c */
int connected_handed_over(curl_socket_t, struct curl_sockaddr *);
int connected_stand_in(curl_socket_t);
void connected_swap(void);
void connected_forget(curl_socket_t);

#endif
