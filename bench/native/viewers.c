/*
 * Viewers of a proxy: they read, count and discard.
 *
 *   viewers -p PORT [-n STREAMS] [-v VIEWERS_OF_A_STREAM] [-c CHECKED]
 *
 * Viewer I asks for stream I modulo STREAMS: /ace/getstream?id=<40 hexadecimal digits>. The first CHECKED viewers (default 100) look at every packet:
 * its sync byte, and the continuity counter of its PID. The others let the kernel discard the bytes, so that they cost little; they count the framing
 * of the chunks too, which is less than 0.1 %.
 *
 * Each line on standard input is answered with what happened since the line before: {"seconds", "bytes", "slowest", "fastest" (bytes of one viewer),
 * "gaps" (continuity errors), "badSync"}, and with what happened since the start: {"closed" (viewers), "served" (viewers that got 100 kB)}.
 */
#include "common.h"

#define SERVED_BYTES 100000
#define READ_BYTES 262144
#define AT_ONCE 64
#define PIDS 8192
#define NULL_PID 0x1fff
#define UNKNOWN 0xff
#define SYNC_PACKETS 5
#define SHOWN_REFUSALS 3

enum state { CONNECTING, IN_HEAD, IN_SIZE, IN_DATA, CLOSED };

/* What a checked viewer knows of its stream. */
struct check {
  int64_t left;      /* of the HTTP chunk */
  int line_feeds;    /* of the line that is read */
  int offset;        /* in the packet */
  int in_sync;       /* packets in a row that started with the sync byte: a viewer may join in the middle of one */
  uint8_t head[4];   /* of the packet */
  uint8_t next[PIDS]; /* the continuity counter that follows, for each PID */
};

struct viewer {
  int fd;
  enum state state;
  int64_t bytes, marked;
  int head_line_feeds;
  struct check *check; /* NULL if not checked */
};

static int epoll, port, stream_count = 1, viewer_count = 1, checked = 100;
static struct viewer *viewers;
static int total, started, connecting, served, closed_viewers;
static int64_t gaps, bad_sync;
static double marked_at;
static uint8_t bytes[READ_BYTES];

static void start_more(void) {
  for (; started < total && connecting < AT_ONCE; started += 1, connecting += 1) {
    viewers[started].fd = connect_to(port);
    watch(epoll, EPOLL_CTL_ADD, viewers[started].fd, EPOLLOUT, &viewers[started]);
  }
}

static void end(struct viewer *viewer) {
  if (viewer->state == CONNECTING || viewer->state == IN_HEAD) connecting -= 1;
  viewer->state = CLOSED;
  close(viewer->fd);
  closed_viewers += 1;
}

static void request(struct viewer *viewer) {
  char text[256];
  int length = sprintf(text, "GET /ace/getstream?id=%040lx HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: bench\r\n\r\n",
                       (viewer - viewers) % stream_count, port);
  if (send(viewer->fd, text, length, MSG_NOSIGNAL) != length) return end(viewer);
  viewer->state = IN_HEAD;
  watch(epoll, EPOLL_CTL_MOD, viewer->fd, EPOLLIN, viewer);
}

static void count_gap(struct check *check) {
  int pid = (check->head[1] & 0x1f) << 8 | check->head[2], counter = check->head[3] & 0xf;
  if (pid == NULL_PID || !(check->head[3] & 0x10)) return;
  /* A packet may be repeated once with the same counter. */
  if (check->next[pid] != UNKNOWN && counter != check->next[pid] && ((counter + 1) & 0xf) != check->next[pid]) gaps += 1;
  check->next[pid] = (counter + 1) & 0xf;
}

static void take_sync_byte(struct check *check, uint8_t byte) {
  int found = byte == SYNC;
  if (!found && check->in_sync >= SYNC_PACKETS) bad_sync += 1;
  check->in_sync = found ? check->in_sync + 1 : 0;
  check->offset = found;
  check->head[0] = byte;
}

/* Looks at the first four bytes of every packet. */
static void check_packets(struct check *check, const uint8_t *at, int64_t length) {
  while (length > 0) {
    if (check->offset == 0) {
      take_sync_byte(check, *at);
      at += 1, length -= 1;
      continue;
    }
    if (check->offset < 4) {
      check->head[check->offset] = *at;
      check->offset += 1, at += 1, length -= 1;
      if (check->offset == 4 && check->in_sync >= SYNC_PACKETS) count_gap(check);
      continue;
    }
    int64_t size = PACKET - check->offset < length ? PACKET - check->offset : length;
    at += size, length -= size;
    check->offset = (check->offset + size) % PACKET;
  }
}

/* Finds the media in the chunks of the body. */
static void parse(struct viewer *viewer, const uint8_t *at, int64_t length) {
  struct check *check = viewer->check;
  while (length > 0) {
    if (viewer->state == IN_DATA) {
      int64_t size = check->left < length ? check->left : length;
      check_packets(check, at, size);
      viewer->bytes += size;
      at += size, length -= size, check->left -= size;
      if (check->left == 0) viewer->state = IN_SIZE, check->line_feeds = 0;
      continue;
    }
    int byte = *at;
    at += 1, length -= 1;
    if (byte == '\n') {
      check->line_feeds += 1;
      if (check->line_feeds == 2) viewer->state = IN_DATA;
    } else if (byte != '\r') {
      check->left = check->left * 16 + (byte <= '9' ? byte - '0' : (byte | 0x20) - 'a' + 10);
    }
  }
}

/* Reads the head of the reply, and returns the number of its bytes. */
static int64_t take_head(struct viewer *viewer, int64_t length) {
  int64_t at = 0;
  if (viewer->bytes == 0 && length >= 12 && memcmp(bytes + 8, " 200", 4)) return -1;
  for (; at < length && viewer->head_line_feeds < 2; at += 1)
    if (bytes[at] != '\r') viewer->head_line_feeds = bytes[at] == '\n' ? viewer->head_line_feeds + 1 : 0;
  if (viewer->head_line_feeds < 2) return at;
  viewer->state = IN_SIZE;
  connecting -= 1;
  start_more();
  return at;
}

/* Status line and body of the first refusals. */
static void show_refusal(struct viewer *viewer, int length) {
  static int shown;
  if (shown++ >= SHOWN_REFUSALS) return;
  char *body = memmem(bytes, length, "\r\n\r\n", 4);
  int rest = body ? length - (int)(body - (char *)bytes) - 4 : 0;
  fprintf(stderr, "viewer %ld was refused: %.*s %.*s\n", (long)(viewer - viewers), (int)strcspn((char *)bytes, "\r"), bytes,
          rest < 200 ? rest : 200, body ? body + 4 : "");
}

static void receive(struct viewer *viewer) {
  int discards = viewer->state != IN_HEAD && !viewer->check;
  int64_t before = viewer->bytes;
  ssize_t got = recv(viewer->fd, bytes, sizeof bytes, discards ? MSG_TRUNC : 0);
  if (got < 0 && would_block()) return;
  if (got <= 0) return end(viewer);
  int64_t from = 0;
  if (viewer->state == IN_HEAD) {
    from = take_head(viewer, got);
    if (from < 0) {
      show_refusal(viewer, got);
      return end(viewer);
    }
  }
  if (viewer->state == IN_HEAD) return;
  if (viewer->check) parse(viewer, bytes + from, got - from);
  else viewer->bytes += got - from;
  if (before < SERVED_BYTES && viewer->bytes >= SERVED_BYTES) served += 1;
}

static void report(void) {
  char command[4096];
  if (read(STDIN_FILENO, command, sizeof command) <= 0) exit(0);
  double now = seconds_now();
  int64_t sum = 0, slowest = INT64_MAX, fastest = 0;
  for (int index = 0; index < total; index += 1) {
    int64_t share = viewers[index].bytes - viewers[index].marked;
    viewers[index].marked = viewers[index].bytes;
    sum += share;
    if (share < slowest) slowest = share;
    if (share > fastest) fastest = share;
  }
  printf("{\"seconds\":%.3f,\"bytes\":%ld,\"slowest\":%ld,\"fastest\":%ld,\"gaps\":%ld,\"badSync\":%ld,\"closed\":%d,\"served\":%d}\n",
         now - marked_at, sum, slowest, fastest, gaps, bad_sync, closed_viewers, served);
  fflush(stdout);
  marked_at = now;
  gaps = bad_sync = 0;
}

int main(int count, char **arguments) {
  for (int option; (option = getopt(count, arguments, "p:n:v:c:")) != -1;) {
    int value = optarg ? atoi(optarg) : 0;
    if (option == 'p') port = value;
    else if (option == 'n') stream_count = value;
    else if (option == 'v') viewer_count = value;
    else if (option == 'c') checked = value;
  }
  if (port < 1 || stream_count < 1 || viewer_count < 1) {
    fprintf(stderr, "usage: viewers -p PORT [-n STREAMS] [-v VIEWERS_OF_A_STREAM] [-c CHECKED]\n");
    return 2;
  }
  total = stream_count * viewer_count;
  prepare_process();
  viewers = allocate(total, sizeof *viewers);
  for (int index = 0; index < total && index < checked; index += 1) {
    viewers[index].check = allocate(1, sizeof *viewers[index].check);
    viewers[index].check->line_feeds = 1; /* the first size line has no line end of a chunk before it */
    memset(viewers[index].check->next, UNKNOWN, PIDS);
  }
  epoll = epoll_create1(EPOLL_CLOEXEC);
  watch(epoll, EPOLL_CTL_ADD, STDIN_FILENO, EPOLLIN, NULL);
  marked_at = seconds_now();
  start_more();
  for (struct epoll_event events[MAX_EVENTS];;) {
    int ready = epoll_wait(epoll, events, MAX_EVENTS, -1);
    for (int index = 0; index < ready; index += 1) {
      struct viewer *viewer = events[index].data.ptr;
      if (!viewer) report();
      else if (viewer->state == CONNECTING) request(viewer);
      else receive(viewer);
    }
  }
}
