/* What the C files share with each other and Python does not see. */
#ifndef LIBCURL_INTERNAL_H
#define LIBCURL_INTERNAL_H

#include "native.h"
#include "callbacks.h"

/* Of the monotonic clock. */
static inline double milliseconds_now(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

/* guard.c */
void common_lock(void);
void common_unlock(void);
void guard_init(guard *);
int guard_forked(const guard *);
int guard_enter(guard *);
int guard_elsewhere(const guard *);
int guard_busy(const guard *);
void guard_leave(guard *);
int easy_enter_as_it_is(easy *);
int easy_enter_to_perform(easy *);
void easy_leave(easy *);
void guard_show(guard *);
void guard_shown(guard *);

/* easy.c */

/* Stands for the CURL of a classic handle until it is first entered: one that is made and closed again
 * needs none. */
extern char unborn;
#define UNBORN ((CURL *)&unborn)
int easy_bear(easy *);
void easy_end(easy *);
easy *easy_of(CURL *);
int easy_reset_now(easy *);

/* steps.c */
int easy_take_steps(easy *);
CURLMcode easy_remove(easy *, CURLM *);
CURLMcode easy_detach(easy *);
void easy_give_back_steps(easy *);
void easy_drop_steps(easy *);
CURLcode easy_change_share(easy *, CURLSH *);
void share_release(share *);
void steps_forked(void);
static inline _Bool easy_performs(const easy *e) { return e->performing || e->dropping; }

/* perform.c */

/* A single transfer is served best by large buffers, of which only what is used takes memory; in a
 * multi there may be thousands, and a stream is to have little in memory. What the user has chosen stays. */
enum buffers { BUFFERS_SMALL, BUFFERS_LARGE, BUFFERS_CHOSEN };
CURLcode easy_clear_error(easy *);
int easy_begin(easy *);
void easy_size_buffers(easy *, enum buffers);

/* multi.c */
void multi_link(multi *, easy *);
void multi_unlink(easy *);
void multi_note(easy *);
void multi_deliver(multi *);
int multi_results(multi *, int remove);
void multi_show_results(multi *, int code);
void multi_notice(multi *, CURL *);
int multi_nudge(multi *, int code, int *running);

/* multi_callbacks.c */
int multi_refusal(multi *, int code);

/* loop.c */
void loop_free(struct loop *);
int loop_wakeup(struct loop *);

/* plan.c */
void easy_freshly_reset(easy *);
int easy_plan_look(easy *);
int easy_plan_begin(easy *);
int easy_plan_end(easy *);
void easy_plan_failed(easy *);

/* options.c */
CURLcode set_number(easy *, CURLoption, int64_t);
int easy_set_all(easy *, const int64_t *settings, int count, const char *texts);
void kept_free(struct kept *);
void kept_purge(struct kept **);
struct kept *kept_copy(const struct kept *, CURL *);

/* notes.c */
void notes_forget(easy *);
void notes_free(easy *);
int notes_copy(const easy *from, easy *to);

/* callbacks.c */
void watch_tls(easy *);
CURLcode collect_instead(easy *);
void collect_no_more(easy *);

/* sinks.c */
size_t collect(char *data, size_t size, size_t count, void *e);
size_t read_nothing(char *to, size_t size, size_t count, void *e);
size_t gather_body(easy *, char *data, size_t size);
size_t write_without(easy *, char *data, size_t size);
size_t gather_line(easy *, char *data, size_t size);
int deliver(easy *);
void sinks_begin(easy *);
void sinks_free(easy *);
files *files_of(easy *);
void sink_close(easy *);
void source_close(easy *);

/* sockets.c */
curl_socket_t on_open_socket(void *e, curlsocktype, struct curl_sockaddr *);
int socket_adopt(int fd);
void sockets_forked(void);
int on_socket_options(void *e, curl_socket_t, curlsocktype);

/* verdicts.c */
int verdicts_allow_address(verdicts *, const struct curl_sockaddr *);
int verdicts_allow_request(verdicts *, CURL *, const char *ip, int port);

/* connected.c */
int connected_handed_over(curl_socket_t, struct curl_sockaddr *);
int connected_stand_in(curl_socket_t);
void connected_swap(void);
CURLMcode connected_perform(CURLM *, int *running);
CURLMcode connected_action(CURLM *, curl_socket_t, int events, int *running);
void connected_forget(curl_socket_t);

/* Header lines, and how long each is. */
struct lines {
  buffer text;
  size_t *sizes;
  size_t count, room;
};

/* Before Python is entered: whether the transfer is to go on, with all delivered that was gathered. */
static inline int ready(easy *e)
{
  e->touched = 1;
  return (e->lines && e->lines->count) || (e->gathers && e->body.size) ? deliver(e) : !e->stopped;
}

#endif
