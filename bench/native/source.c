/*
 * An engine for benchmarks: plays MPEG-TS files over HTTP, in real time, to any number of connections.
 *
 *   source [-c BYTES] FILE...     each piece of BYTES is one HTTP chunk (default 8192)
 *   source -p [-c BYTES] FILE...  the body ends with the connection, without chunks
 *
 * Stream N plays file N modulo the number of files, at the rate that its clock references (PCR) say. Each stream starts at another packet. At the
 * end of the file it goes on at the start; clock references, timestamps and continuity counters are shifted, so that the stream has no jump.
 *
 *   /ace/getstream?format=json&id=<40 hexadecimal digits>  the reply of an engine; the last 7 digits are N
 *   /play/N                                                the media of stream N
 */
#include "common.h"
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/timerfd.h>

#define TICK_NS 10000000
#define PIDS 8192
#define NULL_PID 0x1fff
#define MAX_PIECE 65536
#define MAX_REQUEST 4096
#define PCR_WRAP (300LL << 33)

struct clip {
  const uint8_t *data;
  long packets;
  double bytes_per_second;
  /* Length in units of the 27 MHz clock. */
  int64_t duration;
  /* Packets with payload of each PID, modulo 16: how far one round moves its continuity counter. */
  uint8_t counts[PIDS];
};

struct connection {
  int fd;
  const struct clip *clip; /* NULL until the request of a stream has arrived */
  double started_at;
  /* Position in the endless stream, and bytes taken from it since the start. */
  int64_t position, taken;
  /* Request, then output that the socket has not taken. */
  int used, sent;
  char buffer[MAX_PIECE + 64];
  struct connection *next, **link;
};

static int epoll, piece = 8192, plain, clip_count;
static struct clip *clips;
static struct connection *playing;

static int pid_of(const uint8_t *packet) { return (packet[1] & 0x1f) << 8 | packet[2]; }

static int has_pcr(const uint8_t *packet) { return (packet[3] & 0x20) && packet[4] >= 7 && (packet[5] & 0x10); }

static int64_t read_pcr(const uint8_t *packet) {
  const uint8_t *at = packet + 6;
  int64_t base = (int64_t)at[0] << 25 | at[1] << 17 | at[2] << 9 | at[3] << 1 | at[4] >> 7;
  return base * 300 + ((at[4] & 1) << 8 | at[5]);
}

static void write_pcr(uint8_t *packet, int64_t pcr) {
  uint8_t *at = packet + 6;
  int64_t base = pcr / 300;
  int extension = pcr % 300;
  at[0] = base >> 25, at[1] = base >> 17, at[2] = base >> 9, at[3] = base >> 1;
  at[4] = (base & 1) << 7 | 0x7e | extension >> 8;
  at[5] = extension;
}

/* Adds to a PTS or DTS, in units of 90 kHz. */
static void shift_timestamp(uint8_t *at, int64_t by) {
  int64_t time = (int64_t)(at[0] >> 1 & 7) << 30 | at[1] << 22 | (at[2] >> 1) << 15 | at[3] << 7 | at[4] >> 1;
  time = (time + by) & ((1LL << 33) - 1);
  at[0] = (at[0] & 0xf1) | (time >> 30 & 7) << 1;
  at[1] = time >> 22, at[2] = (time >> 15) << 1 | 1, at[3] = time >> 7, at[4] = time << 1 | 1;
}

/* Moves a packet to the given round of its clip. */
static void restamp(const struct clip *clip, uint8_t *packet, int64_t round) {
  int pid = pid_of(packet);
  if (round == 0 || pid == NULL_PID) return;
  packet[3] = (packet[3] & 0xf0) | ((packet[3] + round * clip->counts[pid]) & 0xf);
  if (has_pcr(packet)) write_pcr(packet, (read_pcr(packet) + round * clip->duration) % PCR_WRAP);
  int payload = packet[3] & 0x20 ? 5 + packet[4] : 4;
  if (!(packet[1] & 0x40) || !(packet[3] & 0x10) || payload > PACKET - 19) return;
  uint8_t *pes = packet + payload;
  if (pes[0] != 0 || pes[1] != 0 || pes[2] != 1 || (pes[6] & 0xc0) != 0x80) return;
  if (pes[7] & 0x80) shift_timestamp(pes + 9, round * clip->duration / 300);
  if ((pes[7] & 0xc0) == 0xc0) shift_timestamp(pes + 14, round * clip->duration / 300);
}

static void load(struct clip *clip, const char *file) {
  int fd = open(file, O_RDONLY);
  struct stat status;
  if (fd < 0 || fstat(fd, &status)) die("%s", file);
  clip->packets = status.st_size / PACKET;
  clip->data = mmap(NULL, status.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
  if (clip->data == MAP_FAILED) die("%s", file);
  close(fd);
  long first = -1, last = -1;
  for (long index = 0; index < clip->packets; index += 1) {
    const uint8_t *packet = clip->data + index * PACKET;
    if (packet[0] != SYNC) errno = 0, die("%s: packet %ld does not start with 0x47", file, index);
    if (packet[3] & 0x10) clip->counts[pid_of(packet)] = (clip->counts[pid_of(packet)] + 1) & 0xf;
    if (!has_pcr(packet)) continue;
    if (first < 0) first = index;
    last = index;
  }
  if (last <= first) errno = 0, die("%s: fewer than two clock references", file);
  double seconds = (read_pcr(clip->data + last * PACKET) - read_pcr(clip->data + first * PACKET)) / 27e6;
  clip->bytes_per_second = (last - first) * PACKET / seconds;
  /* A multiple of 300, so that clock references and timestamps move by the same time. */
  clip->duration = (int64_t)(clip->packets * PACKET / clip->bytes_per_second * 90e3) * 300;
}

/* Copies `length` bytes of the endless stream. */
static void copy_stream(const struct clip *clip, int64_t position, char *to, int length) {
  while (length > 0) {
    int64_t index = position / PACKET;
    int offset = position % PACKET;
    int size = PACKET - offset < length ? PACKET - offset : length;
    uint8_t packet[PACKET];
    memcpy(packet, clip->data + index % clip->packets * PACKET, PACKET);
    restamp(clip, packet, index / clip->packets);
    memcpy(to, packet + offset, size);
    to += size, position += size, length -= size;
  }
}

static void leave(struct connection *connection) {
  if (connection->link) {
    *connection->link = connection->next;
    if (connection->next) connection->next->link = connection->link;
  }
  close(connection->fd);
  free(connection);
}

/* Sends what is in the buffer. Returns 0 when the connection is gone, and 1 otherwise; `used` is 0 when everything is sent. */
static int flush(struct connection *connection) {
  while (connection->sent < connection->used) {
    ssize_t sent = send(connection->fd, connection->buffer + connection->sent, connection->used - connection->sent, MSG_NOSIGNAL);
    if (sent < 0) return would_block();
    connection->sent += sent;
  }
  connection->used = connection->sent = 0;
  return 1;
}

/* Sends every piece that is due. A slow reader gets its pieces later; none is left out. */
static int play(struct connection *connection, double now) {
  int64_t due = (now - connection->started_at) * connection->clip->bytes_per_second;
  for (;;) {
    if (!flush(connection)) return 0;
    if (connection->used > 0 || due - connection->taken < piece) return 1;
    int length = plain ? 0 : sprintf(connection->buffer, "%x\r\n", piece);
    copy_stream(connection->clip, connection->position, connection->buffer + length, piece);
    length += piece;
    if (!plain) length += sprintf(connection->buffer + length, "\r\n");
    connection->used = length;
    connection->position += piece, connection->taken += piece;
  }
}

static void begin_media(struct connection *connection, long stream) {
  const struct clip *clip = &clips[stream % clip_count];
  double share = stream * 0.6180339887;
  connection->clip = clip;
  connection->started_at = seconds_now();
  connection->position = (int64_t)((share - (long)share) * clip->packets) * PACKET;
  connection->used = sprintf(connection->buffer, "HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\n%s\r\n",
                             plain ? "Connection: close\r\n" : "Transfer-Encoding: chunked\r\n");
  connection->next = playing;
  connection->link = &playing;
  if (playing) playing->link = &connection->next;
  playing = connection;
}

static void answer_json(struct connection *connection, const char *status, const char *json) {
  connection->used = sprintf(connection->buffer, "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", status,
                             strlen(json), json);
}

static void answer(struct connection *connection) {
  char json[1024], host[256] = "";
  const char *path = connection->buffer + 4, *found = strcasestr(path, "\r\nhost: ");
  if (found) sscanf(found + 8, "%255[^\r]", host);
  /* Each stream has an address of its own: acexy opens at most ten connections to one host. */
  const char *port = strrchr(host, ':') ? strrchr(host, ':') + 1 : "80";
  long stream = stream_of(path);
  if (!strncmp(path, "/play/", 6)) {
    begin_media(connection, labs(strtol(path + 6, NULL, 10)));
  } else if (!strncmp(path, "/ace/getstream", 14) && stream >= 0) {
    sprintf(json,
            "{\"response\": {\"playback_url\": \"http://127.1.%ld.%ld:%s/play/%ld\", \"stat_url\": \"http://%s/ace/stat/%ld\", \"command_url\": "
            "\"http://%s/ace/cmd/%ld\", \"infohash\": \"%040lx\", \"playback_session_id\": \"%040lx\", \"is_live\": 1, \"is_encrypted\": 0, "
            "\"client_session_id\": -1}, \"error\": null}",
            stream >> 8 & 255, stream & 255, port, stream, host, stream, host, stream, stream, stream);
    answer_json(connection, "200 OK", json);
  } else if (!strncmp(path, "/ace/stat/", 10)) {
    answer_json(connection, "200 OK",
                "{\"response\": {\"status\": \"dl\", \"peers\": 9, \"speed_down\": 1000, \"speed_up\": 0, \"downloaded\": 16384, "
                "\"uploaded\": 0, \"is_live\": 1}, \"error\": null}");
  } else if (!strncmp(path, "/ace/cmd/", 9)) {
    answer_json(connection, "200 OK", "{\"response\": \"ok\", \"error\": null}");
  } else if (!strncmp(path, "/webui/api/service", 18)) {
    answer_json(connection, "200 OK", "{\"result\": {\"code\": 3021100, \"platform\": \"linux\", \"version\": \"3.2.11\"}, \"error\": null}");
  } else if (!strncmp(path, "/server/api", 11)) {
    answer_json(connection, "200 OK", "{\"result\": {\"playlist_loaded\": true, \"connected\": true}}");
  } else {
    answer_json(connection, "404 Not Found", "{\"error\": \"unknown path\"}");
  }
}

/* Reads a request. Returns 0 when the connection is gone. */
static int receive(struct connection *connection) {
  if (connection->clip) {
    ssize_t got = recv(connection->fd, (char[512]){0}, 512, 0);
    return got > 0 || (got < 0 && would_block());
  }
  ssize_t got = recv(connection->fd, connection->buffer + connection->used, MAX_REQUEST - 1 - connection->used, 0);
  if (got <= 0) return got < 0 && would_block();
  connection->used += got;
  connection->buffer[connection->used] = 0;
  if (!strstr(connection->buffer, "\r\n\r\n")) return connection->used < MAX_REQUEST - 1;
  connection->sent = 0;
  answer(connection);
  return flush(connection);
}

int main(int count, char **arguments) {
  for (int option; (option = getopt(count, arguments, "c:p")) != -1;) {
    if (option == 'c') piece = atoi(optarg);
    else if (option == 'p') plain = 1;
    else return 2;
  }
  clip_count = count - optind;
  if (clip_count < 1 || piece < 1 || piece > MAX_PIECE) {
    fprintf(stderr, "usage: source [-c BYTES of a piece, 1 to %d] [-p] FILE...\n", MAX_PIECE);
    return 2;
  }
  prepare_process();
  clips = allocate(clip_count, sizeof *clips);
  for (int index = 0; index < clip_count; index += 1) load(&clips[index], arguments[optind + index]);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  struct itimerspec tick = {{0, TICK_NS}, {0, TICK_NS}};
  timerfd_settime(timer, 0, &tick, NULL);
  int listener = listen_and_print_port();
  watch(epoll, EPOLL_CTL_ADD, timer, EPOLLIN, &timer);
  watch(epoll, EPOLL_CTL_ADD, listener, EPOLLIN, &listener);
  for (struct epoll_event events[MAX_EVENTS];;) {
    int ready = epoll_wait(epoll, events, MAX_EVENTS, -1), ticked = 0;
    for (int index = 0; index < ready; index += 1) {
      void *data = events[index].data.ptr;
      if (data == &timer) {
        uint64_t ticks;
        ticked = read(timer, &ticks, sizeof ticks) > 0;
      } else if (data == &listener) {
        for (int fd; (fd = accept_one(listener)) >= 0;) {
          struct connection *connection = allocate(1, sizeof *connection);
          connection->fd = fd;
          watch(epoll, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLRDHUP, connection);
        }
      } else if (!receive(data)) {
        leave(data);
      }
    }
    if (!ticked) continue;
    double now = seconds_now();
    for (struct connection *connection = playing, *next; connection; connection = next) {
      next = connection->next;
      if (!play(connection, now)) leave(connection);
    }
  }
}
