/* Shared by the tools: sockets on loopback, errors, and commands on standard input. */
#ifndef COMMON_H
#define COMMON_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PACKET 188
#define SYNC 0x47
#define MAX_EVENTS 256

static inline void die(const char *format, ...) {
  va_list values;
  va_start(values, format);
  vfprintf(stderr, format, values);
  va_end(values);
  fprintf(stderr, errno ? ": %s\n" : "\n", strerror(errno));
  exit(1);
}

/* Zeroed memory. */
static inline void *allocate(size_t count, size_t size) {
  void *memory = calloc(count, size);
  if (!memory) die("no memory for %zu times %zu bytes", count, size);
  return memory;
}

static inline double seconds_now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

/* The tool ends with the benchmark that started it, and may open as many sockets as the system allows this user. */
static inline void prepare_process(void) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit)) die("getrlimit");
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit)) die("setrlimit");
}

static inline int loopback_socket(int port, struct sockaddr_in *address) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket");
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  return fd;
}

/* Listens on a free port of all loopback addresses (127.0.0.0/8) and prints it: {"port":12345} */
static inline int listen_and_print_port(void) {
  struct sockaddr_in address;
  socklen_t length = sizeof address;
  int fd = loopback_socket(0, &address);
  address.sin_addr.s_addr = htonl(INADDR_ANY);
  if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3)) die("SO_BINDTODEVICE lo");
  if (bind(fd, (struct sockaddr *)&address, length) || listen(fd, 4096) || getsockname(fd, (struct sockaddr *)&address, &length))
    die("listen");
  printf("{\"port\":%d}\n", ntohs(address.sin_port));
  fflush(stdout);
  return fd;
}

static inline int connect_to(int port) {
  struct sockaddr_in address;
  int fd = loopback_socket(port, &address);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS) die("connect to port %d", port);
  return fd;
}

/* The next connection, or -1. */
static inline int accept_one(int listener) {
  int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0 && errno != EAGAIN && errno != ECONNABORTED) die("accept");
  int on = 1;
  if (fd >= 0) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

static inline void watch(int epoll, int operation, int fd, uint32_t events, void *data) {
  struct epoll_event event = {.events = events, .data.ptr = data};
  if (epoll_ctl(epoll, operation, fd, &event)) die("epoll_ctl");
}

static inline int would_block(void) { return errno == EAGAIN || errno == EINTR; }

/* The number of the stream in the content id of a request line, /ace/getstream?id=<40 hexadecimal digits>; -1 without one. */
static inline long stream_of(const char *request) {
  const char *end = strpbrk(request, "\r\n");
  const char *id = strstr(request, "id=");
  if (!id || !end || end - id < 43) return -1;
  char digits[8] = {0};
  memcpy(digits, id + 3 + 40 - 7, 7);
  return strtol(digits, NULL, 16);
}

#endif
