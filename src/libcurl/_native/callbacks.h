/* The functions that Python defines and C calls, all on behalf of a handle named by its id. For C
 * these are prototypes; for cffi build_ffi.py wraps them into extern "Python+C". */
size_t python_write(uintptr_t easy, char *data, size_t size);
int python_headers(uintptr_t easy, char *lines, size_t size, size_t *sizes, size_t count);
char *python_lend(uintptr_t easy, size_t size);
int python_flush(uintptr_t easy);
size_t python_interleave(uintptr_t easy, char *data, size_t size);
size_t python_read(uintptr_t easy, char *data, size_t size);
int python_seek(uintptr_t easy, curl_off_t offset, int origin);
int python_ioctl(uintptr_t easy, int command);
int python_xferinfo(uintptr_t easy, curl_off_t dltotal, curl_off_t dlnow, curl_off_t ultotal,
                    curl_off_t ulnow);
int python_progress(uintptr_t easy, double dltotal, double dlnow, double ultotal, double ulnow);
int python_debug(uintptr_t easy, int type, char *data, size_t size);
int python_prereq(uintptr_t easy, char *primary_ip, char *local_ip, int primary_port,
                  int local_port);
int python_resolver_start(uintptr_t easy, void *resolver);
int python_trailer(uintptr_t easy, struct curl_slist **list);
int python_ssl_ctx(uintptr_t easy, void *ssl_ctx);
int python_sshkey(uintptr_t easy, const struct curl_khkey *known, const struct curl_khkey *found,
                  int match);
int python_sshhostkey(uintptr_t easy, int type, const char *key, size_t size);
int python_fnmatch(uintptr_t easy, const char *pattern, const char *string);
long python_chunk_bgn(uintptr_t easy, struct curl_fileinfo *info, int remains);
long python_chunk_end(uintptr_t easy);
int python_hstsread(uintptr_t easy, struct curl_hstsentry *entry);
int python_hstswrite(uintptr_t easy, struct curl_hstsentry *entry, struct curl_index *index);
int python_opensocket(uintptr_t easy, int purpose, int family, int socktype, int protocol,
                      char *address, size_t size);
int python_wrong_socket(uintptr_t easy, curl_socket_t fd, int found, int family);
int python_judge(uintptr_t easy, curl_socket_t fd, int purpose, struct curl_sockaddr *address,
                 struct curl_sockaddr *asked);
int python_sockopt(uintptr_t easy, curl_socket_t fd, int purpose);
int python_closesocket(uintptr_t closer, curl_socket_t fd);
int python_session(uintptr_t easy, const char *key, const unsigned char *shmac, size_t shmac_size,
                   const unsigned char *data, size_t size, curl_off_t valid_until, int tls_id,
                   const char *alpn, size_t earlydata_max);

/* On behalf of a multi. */
int python_socket(uintptr_t multi, uintptr_t easy, curl_socket_t fd, int what);
int python_timer(uintptr_t multi, long milliseconds);
int python_push(uintptr_t multi, uintptr_t parent, CURL *curl, easy **pushed,
                struct curl_pushheaders *headers, size_t count);
void python_notify(uintptr_t multi, unsigned notification, uintptr_t easy);

/* On behalf of a part of a MIME body. */
size_t python_mime_read(uintptr_t part, char *data, size_t size);
int python_mime_seek(uintptr_t part, curl_off_t offset, int origin);
