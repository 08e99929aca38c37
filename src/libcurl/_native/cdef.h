/* libcurl's types and functions, declared once: read by the C compiler and by cffi alike, after
 * constants.h, which the build generates from symbols.py. So only typedefs, structs and prototypes
 * stand here, and no preprocessor lines.
 *
 * A function newer than 7.74 says so right after its prototype: the build makes it a weak
 * reference, and whoever reaches for it on an older libcurl is told the version.
 */

/* ---- Handles and scalars ---- */

typedef void CURL;
typedef void CURLSH;
typedef void CURLM;
typedef struct Curl_URL CURLU;
typedef struct curl_mime curl_mime;
typedef struct curl_mimepart curl_mimepart;

typedef int64_t curl_off_t;
typedef unsigned int curl_socklen_t;
typedef int curl_socket_t;

struct curl_slist {
  char *data;
  struct curl_slist *next;
};

/* ---- The transfer's data ---- */

typedef size_t (*curl_write_callback)(char *buffer, size_t size, size_t nitems, void *outstream);
typedef size_t (*curl_read_callback)(char *buffer, size_t size, size_t nitems, void *instream);
typedef int (*curl_seek_callback)(void *instream, curl_off_t offset, int origin);
typedef curlioerr (*curl_ioctl_callback)(CURL *handle, int cmd, void *clientp);
typedef int (*curl_trailer_callback)(struct curl_slist **list, void *userdata);
typedef CURLcode (*curl_conv_callback)(char *buffer, size_t length);

/* ---- Progress and debugging ---- */

typedef int (*curl_progress_callback)(void *clientp, double dltotal, double dlnow,
                                      double ultotal, double ulnow);
typedef int (*curl_xferinfo_callback)(void *clientp, curl_off_t dltotal, curl_off_t dlnow,
                                      curl_off_t ultotal, curl_off_t ulnow);
typedef int (*curl_debug_callback)(CURL *handle, curl_infotype type, char *data, size_t size,
                                   void *userptr);

/* ---- Resolving, sockets and the request about to go out ---- */

struct curl_sockaddr {
  int family;
  int socktype;
  int protocol;
  unsigned int addrlen;
  struct sockaddr addr; /* may be longer than this: addrlen bytes */
};

typedef int (*curl_resolver_start_callback)(void *resolver_state, void *reserved, void *userdata);
typedef curl_socket_t (*curl_opensocket_callback)(void *clientp, curlsocktype purpose,
                                                  struct curl_sockaddr *address);
typedef int (*curl_sockopt_callback)(void *clientp, curl_socket_t curlfd, curlsocktype purpose);
typedef int (*curl_closesocket_callback)(void *clientp, curl_socket_t item);
typedef int (*curl_prereq_callback)(void *clientp, char *conn_primary_ip, char *conn_local_ip,
                                    int conn_primary_port, int conn_local_port);

/* ---- FTP wildcard matching ---- */

struct curl_fileinfo {
  char *filename;
  curlfiletype filetype;
  time_t time;
  unsigned int perm;
  int uid;
  int gid;
  curl_off_t size;
  long int hardlinks;
  struct {
    char *time;
    char *perm;
    char *user;
    char *group;
    char *target;
  } strings;
  unsigned int flags;
  char *b_data; /* the last three are libcurl's own */
  size_t b_size;
  size_t b_used;
};

typedef long (*curl_chunk_bgn_callback)(const void *transfer_info, void *ptr, int remains);
typedef long (*curl_chunk_end_callback)(void *ptr);
typedef int (*curl_fnmatch_callback)(void *ptr, const char *pattern, const char *string);

/* ---- TLS, SSH and HSTS ---- */

struct curl_khkey {
  const char *key;
  size_t len;
  enum curl_khtype keytype;
};

struct curl_hstsentry {
  char *name;
  size_t namelen;
  unsigned int includeSubDomains : 1;
  char expire[18];
};

struct curl_index {
  size_t index;
  size_t total;
};

typedef CURLcode (*curl_ssl_ctx_callback)(CURL *curl, void *ssl_ctx, void *userptr);
typedef int (*curl_sshkeycallback)(CURL *easy, const struct curl_khkey *knownkey,
                                   const struct curl_khkey *foundkey, enum curl_khmatch match,
                                   void *clientp);
typedef int (*curl_sshhostkeycallback)(void *clientp, int keytype, const char *key, size_t keylen);
typedef CURLSTScode (*curl_hstsread_callback)(CURL *easy, struct curl_hstsentry *e, void *userp);
typedef CURLSTScode (*curl_hstswrite_callback)(CURL *easy, struct curl_hstsentry *e,
                                               struct curl_index *i, void *userp);

/* ---- MIME bodies, and the form posts they replaced ---- */

typedef void (*curl_free_callback)(void *ptr);

struct curl_httppost {
  struct curl_httppost *next;
  char *name;
  long namelength;
  char *contents;
  long contentslength;
  char *buffer;
  long bufferlength;
  char *contenttype;
  struct curl_slist *contentheader;
  struct curl_httppost *more;
  long flags;
  char *showfilename;
  void *userp;
  curl_off_t contentlen;
};

struct curl_forms {
  CURLformoption option;
  const char *value;
};

typedef size_t (*curl_formget_callback)(void *arg, const char *buf, size_t len);

curl_mime *curl_mime_init(CURL *easy);
void curl_mime_free(curl_mime *mime);
curl_mimepart *curl_mime_addpart(curl_mime *mime);
CURLcode curl_mime_name(curl_mimepart *part, const char *name);
CURLcode curl_mime_filename(curl_mimepart *part, const char *filename);
CURLcode curl_mime_type(curl_mimepart *part, const char *mimetype);
CURLcode curl_mime_encoder(curl_mimepart *part, const char *encoding);
CURLcode curl_mime_data(curl_mimepart *part, const char *data, size_t datasize);
CURLcode curl_mime_filedata(curl_mimepart *part, const char *filename);
CURLcode curl_mime_data_cb(curl_mimepart *part, curl_off_t datasize, curl_read_callback readfunc,
                           curl_seek_callback seekfunc, curl_free_callback freefunc, void *arg);
CURLcode curl_mime_subparts(curl_mimepart *part, curl_mime *subparts);
CURLcode curl_mime_headers(curl_mimepart *part, struct curl_slist *headers, int take_ownership);

/* ---- The process: memory, TLS back-ends, strings, lists, dates ---- */

typedef void *(*curl_malloc_callback)(size_t size);
typedef void *(*curl_realloc_callback)(void *ptr, size_t size);
typedef char *(*curl_strdup_callback)(const char *str);
typedef void *(*curl_calloc_callback)(size_t nmemb, size_t size);

struct curl_ssl_backend {
  curl_sslbackend id;
  const char *name;
};
typedef struct curl_ssl_backend curl_ssl_backend;

CURLcode curl_global_init(long flags);
CURLcode curl_global_init_mem(long flags, curl_malloc_callback m, curl_free_callback f,
                              curl_realloc_callback r, curl_strdup_callback s,
                              curl_calloc_callback c);
void curl_global_cleanup(void);
CURLcode curl_global_trace(const char *config); /* @since 8.3.0 */
CURLsslset curl_global_sslset(curl_sslbackend id, const char *name,
                              const curl_ssl_backend ***avail);

int curl_strequal(const char *s1, const char *s2);
int curl_strnequal(const char *s1, const char *s2, size_t n);
char *curl_getenv(const char *variable);
char *curl_version(void);
char *curl_easy_escape(CURL *curl, const char *string, int length);
char *curl_escape(const char *string, int length);
char *curl_easy_unescape(CURL *curl, const char *string, int inlength, int *outlength);
char *curl_unescape(const char *string, int length);
void curl_free(void *p);

struct curl_slist *curl_slist_append(struct curl_slist *list, const char *data);
void curl_slist_free_all(struct curl_slist *list);
time_t curl_getdate(const char *p, const time_t *unused);

/* ---- What getinfo points at ---- */

struct curl_certinfo {
  int num_of_certs;
  struct curl_slist **certinfo;
};

struct curl_tlssessioninfo {
  curl_sslbackend backend;
  void *internals;
};

/* ---- Share ---- */

typedef void (*curl_lock_function)(CURL *handle, curl_lock_data data, curl_lock_access locktype,
                                   void *userptr);
typedef void (*curl_unlock_function)(CURL *handle, curl_lock_data data, void *userptr);

CURLSH *curl_share_init(void);
CURLSHcode curl_share_setopt(CURLSH *sh, CURLSHoption option, ...);
CURLSHcode curl_share_cleanup(CURLSH *sh);
const char *curl_share_strerror(CURLSHcode error);

/* ---- Version ---- */

/* A libcurl fills in what its `age` covers: memory behind that is not its own. */
struct curl_version_info_data {
  CURLversion age;
  const char *version;
  unsigned int version_num;
  const char *host;
  int features;
  const char *ssl_version;
  long ssl_version_num;
  const char *libz_version;
  const char *const *protocols;
  const char *ares; /* CURLVERSION_SECOND */
  int ares_num;
  const char *libidn; /* CURLVERSION_THIRD */
  int iconv_ver_num; /* CURLVERSION_FOURTH */
  const char *libssh_version;
  unsigned int brotli_ver_num; /* CURLVERSION_FIFTH */
  const char *brotli_version;
  unsigned int nghttp2_ver_num; /* CURLVERSION_SIXTH */
  const char *nghttp2_version;
  const char *quic_version;
  const char *cainfo; /* CURLVERSION_SEVENTH */
  const char *capath;
  unsigned int zstd_ver_num; /* CURLVERSION_EIGHTH */
  const char *zstd_version;
  const char *hyper_version; /* CURLVERSION_NINTH */
  const char *gsasl_version; /* CURLVERSION_TENTH */
  const char *const *feature_names; /* CURLVERSION_ELEVENTH */
  const char *rtmp_version; /* CURLVERSION_TWELFTH */
};
typedef struct curl_version_info_data curl_version_info_data;

curl_version_info_data *curl_version_info(CURLversion stamp);

/* ---- Easy ---- */

struct curl_blob {
  void *data;
  size_t len;
  unsigned int flags;
};

typedef CURLcode curl_ssls_export_cb(CURL *curl, void *userptr, const char *session_key,
                                     const unsigned char *shmac, size_t shmac_len,
                                     const unsigned char *sdata, size_t sdata_len,
                                     curl_off_t valid_until, int ietf_tls_id, const char *alpn,
                                     size_t earlydata_max);

CURL *curl_easy_init(void);
CURLcode curl_easy_setopt(CURL *curl, CURLoption option, ...);
CURLcode curl_easy_perform(CURL *curl);
void curl_easy_cleanup(CURL *curl);
CURLcode curl_easy_getinfo(CURL *curl, CURLINFO info, ...);
CURL *curl_easy_duphandle(CURL *curl);
void curl_easy_reset(CURL *curl);
CURLcode curl_easy_recv(CURL *curl, void *buffer, size_t buflen, size_t *n);
CURLcode curl_easy_send(CURL *curl, const void *buffer, size_t buflen, size_t *n);
CURLcode curl_easy_upkeep(CURL *curl);
CURLcode curl_easy_pause(CURL *curl, int action);
const char *curl_easy_strerror(CURLcode error);
CURLcode curl_easy_ssls_import(CURL *curl, const char *session_key, const unsigned char *shmac,
                               size_t shmac_len, const unsigned char *sdata,
                               size_t sdata_len); /* @since 8.12.0 */
CURLcode curl_easy_ssls_export(CURL *curl, curl_ssls_export_cb *export_fn,
                               void *userptr); /* @since 8.12.0 */

/* ---- Multi ---- */

struct CURLMsg {
  CURLMSG msg;
  CURL *easy_handle;
  union {
    void *whatever;
    CURLcode result;
  } data;
};
typedef struct CURLMsg CURLMsg;

struct curl_waitfd {
  curl_socket_t fd;
  short events;
  short revents;
};

struct curl_pushheaders;

typedef int (*curl_socket_callback)(CURL *easy, curl_socket_t s, int what, void *userp,
                                    void *socketp);
typedef int (*curl_multi_timer_callback)(CURLM *m, long timeout_ms, void *userp);
typedef int (*curl_push_callback)(CURL *parent, CURL *easy, size_t num_headers,
                                  struct curl_pushheaders *headers, void *userp);
typedef void (*curl_notify_callback)(CURLM *m, unsigned int notification, CURL *easy,
                                     void *user_data);

CURLM *curl_multi_init(void);
CURLMcode curl_multi_add_handle(CURLM *m, CURL *curl);
CURLMcode curl_multi_remove_handle(CURLM *m, CURL *curl);
CURLMcode curl_multi_fdset(CURLM *m, fd_set *read_fd_set, fd_set *write_fd_set, fd_set *exc_fd_set,
                           int *max_fd);
CURLMcode curl_multi_wait(CURLM *m, struct curl_waitfd extra_fds[], unsigned int extra_nfds,
                          int timeout_ms, int *ret);
CURLMcode curl_multi_poll(CURLM *m, struct curl_waitfd extra_fds[], unsigned int extra_nfds,
                          int timeout_ms, int *ret);
CURLMcode curl_multi_wakeup(CURLM *m);
CURLMcode curl_multi_perform(CURLM *m, int *running_handles);
CURLMcode curl_multi_cleanup(CURLM *m);
CURLMsg *curl_multi_info_read(CURLM *m, int *msgs_in_queue);
const char *curl_multi_strerror(CURLMcode error);
CURLMcode curl_multi_socket(CURLM *m, curl_socket_t s, int *running_handles);
CURLMcode curl_multi_socket_action(CURLM *m, curl_socket_t s, int ev_bitmask,
                                   int *running_handles);
CURLMcode curl_multi_socket_all(CURLM *m, int *running_handles);
CURLMcode curl_multi_timeout(CURLM *m, long *timeout_ms);
CURLMcode curl_multi_setopt(CURLM *m, CURLMoption option, ...);
CURLMcode curl_multi_assign(CURLM *m, curl_socket_t sockfd, void *sockp);
CURL **curl_multi_get_handles(CURLM *m); /* @since 8.4.0 */
CURLMcode curl_multi_get_offt(CURLM *m, CURLMinfo_offt info,
                              curl_off_t *pvalue); /* @since 8.16.0 */
char *curl_pushheader_bynum(struct curl_pushheaders *h, size_t num);
char *curl_pushheader_byname(struct curl_pushheaders *h, const char *name);
CURLMcode curl_multi_waitfds(CURLM *m, struct curl_waitfd *ufds, unsigned int size,
                             unsigned int *fd_count); /* @since 8.8.0 */
CURLMcode curl_multi_notify_disable(CURLM *m, unsigned int notification); /* @since 8.17.0 */
CURLMcode curl_multi_notify_enable(CURLM *m, unsigned int notification); /* @since 8.17.0 */

/* ---- URL ---- */

CURLU *curl_url(void);
void curl_url_cleanup(CURLU *u);
CURLU *curl_url_dup(const CURLU *in);
CURLUcode curl_url_get(const CURLU *u, CURLUPart what, char **part, unsigned int flags);
CURLUcode curl_url_set(CURLU *u, CURLUPart what, const char *part, unsigned int flags);
const char *curl_url_strerror(CURLUcode error); /* @since 7.80.0 */

/* ---- Options ---- */

struct curl_easyoption {
  const char *name;
  CURLoption id;
  curl_easytype type;
  unsigned int flags;
};

const struct curl_easyoption *curl_easy_option_by_name(const char *name);
const struct curl_easyoption *curl_easy_option_by_id(CURLoption id);
const struct curl_easyoption *curl_easy_option_next(const struct curl_easyoption *prev);

/* ---- Headers ---- */

struct curl_header {
  char *name;
  char *value;
  size_t amount;
  size_t index;
  unsigned int origin;
  void *anchor;
};

CURLHcode curl_easy_header(CURL *curl, const char *name, size_t nameindex, unsigned int origin,
                           int request, struct curl_header **hout); /* @since 7.83.0 */
struct curl_header *curl_easy_nextheader(CURL *curl, unsigned int origin, int request,
                                         struct curl_header *prev); /* @since 7.83.0 */

/* ---- WebSocket ---- */

struct curl_ws_frame {
  int age;
  int flags;
  curl_off_t offset;
  curl_off_t bytesleft;
  size_t len;
};

CURLcode curl_ws_recv(CURL *curl, void *buffer, size_t buflen, size_t *recv,
                      const struct curl_ws_frame **metap); /* @since 7.86.0 */
CURLcode curl_ws_send(CURL *curl, const void *buffer_arg, size_t buflen, size_t *sent,
                      curl_off_t fragsize, unsigned int flags); /* @since 7.86.0 */
CURLcode curl_ws_start_frame(CURL *curl, unsigned int flags,
                             curl_off_t frame_len); /* @since 8.16.0 */
const struct curl_ws_frame *curl_ws_meta(CURL *curl); /* @since 7.86.0 */
