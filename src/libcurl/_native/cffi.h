/* Read by cffi only, between constants.h and cdef.h: the system's types, which C takes from the
 * system's own headers. "..." leaves sizes and what is not named to the compiler.
 */

typedef int... time_t;

typedef struct {
  ...;
} fd_set;

struct sockaddr {
  unsigned short sa_family;
  char sa_data[14];
  ...;
};
