/*
 * The fan-out that we compare with: one epoll loop, one ring for each stream, the same bytes to every viewer of a stream.
 *
 *   fan-out -s SOURCE_PORT [-n STREAMS] [-w WRITE_BYTES] [-r RING_BYTES]
 *
 * It reads /play/N of the source for each stream and answers /ace/getstream?id=<40 hexadecimal digits> (the last 7 digits are N) with HTTP/1.1 chunks
 * of WRITE_BYTES (default 65536). A viewer starts at the newest chunk, and does so again when the ring (default 4 MiB) no longer has its place.
 * It does nothing else: no keyframes, no packet borders, no limits.
 */
#include "common.h"
#include <sys/uio.h>

#define READ_BYTES 65536
#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\nTransfer-Encoding: chunked\r\n\r\n"

/* First member of everything that an event points at. */
enum kind { LISTENER, STREAM, VIEWER };

struct viewer {
  enum kind kind;
  int fd;
  struct stream *stream; /* NULL until the request has arrived */
  /* The chunk that is sent next, and the bytes of it (with its framing) that are sent. */
  int64_t chunk;
  int sent, waiting;
  int used;
  char request[1024];
  struct viewer *next, **link;
};

struct stream {
  enum kind kind;
  int fd;
  uint8_t *ring;
  /* Bytes of media received. */
  int64_t received;
  /* Where the reader is in the reply: in its head, in the size line of a chunk, or in a chunk of which `left` bytes are to come. */
  enum { IN_HEAD, IN_SIZE, IN_DATA } state;
  int line_feeds;
  int64_t left;
  struct viewer *viewers;
};

static int epoll, write_bytes = 65536;
static long source_port, stream_count = 1;
static int64_t ring_bytes = 4 << 20;
static struct stream *streams;
static char framing[16];
static int framing_length;

static void leave(struct viewer *viewer) {
  if (viewer->link) {
    *viewer->link = viewer->next;
    if (viewer->next) viewer->next->link = viewer->link;
  }
  close(viewer->fd);
  free(viewer);
}

static void wait_for_room(struct viewer *viewer, int waiting) {
  if (viewer->waiting == waiting) return;
  viewer->waiting = waiting;
  watch(epoll, EPOLL_CTL_MOD, viewer->fd, EPOLLIN | (waiting ? EPOLLOUT : 0), viewer);
}

/* Sends the complete chunks, as far as the socket takes them. An error of the connection becomes an event of its own. */
static void serve(struct viewer *viewer) {
  struct stream *stream = viewer->stream;
  int64_t complete = stream->received / write_bytes;
  while (viewer->chunk < complete) {
    if (viewer->sent == 0 && viewer->chunk * write_bytes < stream->received - ring_bytes) viewer->chunk = complete - 1;
    struct iovec parts[] = {{framing, framing_length}, {stream->ring + viewer->chunk * write_bytes % ring_bytes, write_bytes}, {"\r\n", 2}};
    size_t skip = viewer->sent;
    for (int index = 0; index < 3; index += 1) {
      size_t skipped = skip < parts[index].iov_len ? skip : parts[index].iov_len;
      parts[index].iov_base = (char *)parts[index].iov_base + skipped;
      parts[index].iov_len -= skipped;
      skip -= skipped;
    }
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 3};
    ssize_t sent = sendmsg(viewer->fd, &message, MSG_NOSIGNAL);
    if (sent < 0 && !would_block()) return;
    if (sent > 0) viewer->sent += sent;
    if (viewer->sent < framing_length + write_bytes + 2) return wait_for_room(viewer, 1);
    viewer->sent = 0;
    viewer->chunk += 1;
  }
  wait_for_room(viewer, 0);
}

static void keep(struct stream *stream, const uint8_t *bytes, int64_t length) {
  int64_t at = stream->received % ring_bytes, first = ring_bytes - at < length ? ring_bytes - at : length;
  memcpy(stream->ring + at, bytes, first);
  memcpy(stream->ring, bytes + first, length - first);
  stream->received += length;
}

static void parse(struct stream *stream, const uint8_t *bytes, int64_t length) {
  while (length > 0) {
    if (stream->state == IN_DATA) {
      int64_t size = stream->left < length ? stream->left : length;
      keep(stream, bytes, size);
      bytes += size, length -= size, stream->left -= size;
      if (stream->left == 0) stream->state = IN_SIZE, stream->line_feeds = 0;
      continue;
    }
    int byte = *bytes;
    bytes += 1, length -= 1;
    if (stream->state == IN_HEAD) {
      if (byte != '\r') stream->line_feeds = byte == '\n' ? stream->line_feeds + 1 : 0;
      /* The first size line has no line end of a chunk before it. */
      if (stream->line_feeds == 2) stream->state = IN_SIZE, stream->line_feeds = 1;
    } else if (byte == '\n') {
      stream->line_feeds += 1;
      if (stream->line_feeds == 2) stream->state = IN_DATA;
    } else if (byte != '\r') {
      stream->left = stream->left * 16 + (byte <= '9' ? byte - '0' : (byte | 0x20) - 'a' + 10);
    }
  }
}

static void read_stream(struct stream *stream) {
  static uint8_t bytes[READ_BYTES];
  int64_t before = stream->received / write_bytes;
  ssize_t got = recv(stream->fd, bytes, sizeof bytes, 0);
  if (got <= 0 && !(got < 0 && would_block())) die("the source closed a stream");
  parse(stream, bytes, got);
  if (stream->received / write_bytes == before) return;
  for (struct viewer *viewer = stream->viewers; viewer; viewer = viewer->next)
    if (!viewer->waiting) serve(viewer);
}

static void open_stream(struct stream *stream, long number) {
  stream->kind = STREAM;
  stream->ring = allocate(1, ring_bytes);
  stream->fd = connect_to(source_port);
  /* Blocks until the connection is open, which takes no time on loopback. */
  fcntl(stream->fd, F_SETFL, 0);
  char request[128];
  int length = sprintf(request, "GET /play/%ld HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", number);
  if (send(stream->fd, request, length, MSG_NOSIGNAL) != length) die("request of stream %ld", number);
  fcntl(stream->fd, F_SETFL, O_NONBLOCK);
  watch(epoll, EPOLL_CTL_ADD, stream->fd, EPOLLIN, stream);
}

static void read_viewer(struct viewer *viewer) {
  ssize_t got = recv(viewer->fd, viewer->request + viewer->used, sizeof viewer->request - 1 - viewer->used, 0);
  if (got <= 0) {
    if (got == 0 || !would_block()) leave(viewer);
    return;
  }
  if (viewer->stream) return;
  viewer->used += got;
  viewer->request[viewer->used] = 0;
  if (!strstr(viewer->request, "\r\n\r\n")) return;
  long number = stream_of(viewer->request);
  if (number < 0 || number >= stream_count) return leave(viewer);
  struct stream *stream = &streams[number];
  viewer->stream = stream;
  viewer->used = 0;
  viewer->chunk = stream->received / write_bytes;
  viewer->next = stream->viewers;
  viewer->link = &stream->viewers;
  if (viewer->next) viewer->next->link = &viewer->next;
  stream->viewers = viewer;
  send(viewer->fd, HEAD, strlen(HEAD), MSG_NOSIGNAL);
}

static void accept_viewers(int listener) {
  for (int fd; (fd = accept_one(listener)) >= 0;) {
    struct viewer *viewer = allocate(1, sizeof *viewer);
    viewer->kind = VIEWER;
    viewer->fd = fd;
    watch(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, viewer);
  }
}

int main(int count, char **arguments) {
  for (int option; (option = getopt(count, arguments, "s:n:w:r:")) != -1;) {
    long value = optarg ? atol(optarg) : 0;
    if (option == 's') source_port = value;
    else if (option == 'n') stream_count = value;
    else if (option == 'w') write_bytes = value;
    else if (option == 'r') ring_bytes = value;
  }
  if (source_port < 1 || stream_count < 1 || write_bytes < 1 || ring_bytes < 2 * write_bytes || ring_bytes % write_bytes) {
    fprintf(stderr, "usage: fan-out -s SOURCE_PORT [-n STREAMS] [-w WRITE_BYTES] [-r RING_BYTES, a multiple of WRITE_BYTES]\n");
    return 2;
  }
  framing_length = sprintf(framing, "%x\r\n", write_bytes);
  prepare_process();
  epoll = epoll_create1(EPOLL_CLOEXEC);
  streams = allocate(stream_count, sizeof *streams);
  for (long number = 0; number < stream_count; number += 1) open_stream(&streams[number], number);
  enum kind listening = LISTENER;
  int listener = listen_and_print_port();
  watch(epoll, EPOLL_CTL_ADD, listener, EPOLLIN, &listening);
  for (struct epoll_event events[MAX_EVENTS];;) {
    int ready = epoll_wait(epoll, events, MAX_EVENTS, -1);
    for (int index = 0; index < ready; index += 1) {
      void *owner = events[index].data.ptr;
      enum kind kind = *(enum kind *)owner;
      if (kind == LISTENER) accept_viewers(listener);
      else if (kind == STREAM) read_stream(owner);
      else if (events[index].events & (EPOLLERR | EPOLLHUP)) leave(owner);
      else if (events[index].events & EPOLLIN) read_viewer(owner);
      else serve(owner);
    }
  }
}
