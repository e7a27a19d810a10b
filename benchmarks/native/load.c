/* How many requests, how fast, and were the answers right? A load generator of one thread; results as one line of JSON.
 *
 *   load port=P connections=N request=FILE [expect=FILE | contains=TEXT] [keys=FILE] [sample=N]
 *        [rate=PER_SECOND] [seconds=S] [count=N] [seed=N] [status=N]
 *
 * `request` holds a whole HTTP request, `expect` the body of its answer, which each answer must equal byte for byte
 * (with sample=N each Nth; the others are thrown away unread). With `rate` requests begin at random moments of that mean
 * rate, however slowly they are answered, and latency counts from the moment at which one was due; without it each
 * connection sends its next request at once. `keys` has one API key a line; they take turns in place of the request's.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"

#define IN_BYTES 262144
#define HEAD_BYTES 16384
#define BATCH 256
#define BUCKETS 12288
#define FINE 8
#define BIG 65536
#define GIVE_UP (10 * SECOND)

enum part { IDLE, HEAD, LENGTH, CHUNK_SIZE, CHUNK_DATA, CHUNK_END, TRAILER, UNTIL_CLOSE };

struct connection {
    int fd;
    enum part part;
    char head[HEAD_BYTES];
    size_t head_length;
    long long left;
    size_t body_at;
    bool right, looked_at;
    size_t sent;
    off_t file_at;
    int64_t due, first_byte;
    const char *key;
    int status;
};

static struct { char *bytes; size_t length, head; int file; } request;
static char *expected, *contained, *keys, *seen;
static size_t expected_length, key_count, key_next, key_length, seen_length, seen_room;
static char *key_at;
static int port, connections = 1, sample = 1, status = 200, epoll_fd;
static double rate, seconds = 1;
static long long count_limit = -1;
static uint64_t chance = 88172645463325252ULL;

static struct connection *all, **idle;
static int idle_count;
static long long begun, answered, failed, wrong, events_seen, bytes_in, reconnected;
static long long latencies[BUCKETS], first_bytes[BUCKETS];
static int64_t longest, total_latency, next_due, ends_at, began_at;
static char buffer[IN_BYTES];

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static double random_unit(void) {
    chance ^= chance << 13, chance ^= chance >> 7, chance ^= chance << 17;
    return (double)(chance >> 11) / 9007199254740992.0;
}

/* Buckets of 0.4 %. */
static int bucket_of(int64_t value) {
    if (value < (1 << FINE)) return value < 0 ? 0 : (int)value;
    int shift = 63 - __builtin_clzll(value) - FINE;
    int index = ((shift + 1) << FINE) + (int)((value >> shift) - (1 << FINE));
    return index < BUCKETS ? index : BUCKETS - 1;
}

static double value_of(int index) {
    if (index < (1 << FINE)) return index;
    int shift = (index >> FINE) - 1;
    return ((double)((index & ((1 << FINE) - 1)) + (1 << FINE)) + 0.5) * (double)(1LL << shift);
}

static double quantile(const long long *counts, double part) {
    long long all_of = 0, so_far = 0;
    for (int index = 0; index < BUCKETS; index++) all_of += counts[index];
    for (int index = 0; index < BUCKETS; index++) {
        so_far += counts[index];
        if (all_of && so_far >= part * all_of) return value_of(index) / 1000.0;
    }
    return 0;
}

static char *read_file(const char *path, size_t *length) {
    int file = open(path, O_RDONLY);
    struct stat about;
    if (file < 0 || fstat(file, &about)) fail(path);
    char *bytes = malloc(about.st_size + 1);
    for (ssize_t got, at = 0; at < about.st_size; at += got)
        if ((got = read(file, bytes + at, about.st_size - at)) <= 0) fail(path);
    bytes[about.st_size] = 0;
    *length = about.st_size;
    close(file);
    return bytes;
}

static int connected(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (connect(fd, (struct sockaddr *)&address, sizeof address)) fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static void watch(struct connection *one) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = one};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, one->fd, &event)) fail("epoll_ctl");
}

static void reconnect(struct connection *one) {
    close(one->fd);
    one->fd = connected();
    watch(one);
    reconnected++;
}

static void rest(struct connection *one) {
    one->part = IDLE;
    idle[idle_count++] = one;
}

/* An answer that never came or makes no sense. */
static void lose(struct connection *one) {
    failed += one->part != IDLE;
    bool was_idle = one->part == IDLE;
    reconnect(one);
    if (!was_idle) rest(one);
}

/* What of the request was not sent yet. False where it was lost. */
static bool push(struct connection *one) {
    size_t whole = request.file >= 0 ? request.head : request.length;
    while (one->sent < whole) {
        const char *from = request.bytes + one->sent;
        size_t size = whole - one->sent;
        if (key_at) { /* the key's own bytes come from the list */
            size_t at = key_at - request.bytes, end = at + key_length;
            if (one->sent < at) size = at - one->sent;
            else if (one->sent < end) from = one->key + (one->sent - at), size = end - one->sent;
        }
        bool more = request.file >= 0 || one->sent + size < whole;
        ssize_t sent = send(one->fd, from, size, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
        if (sent < 0) return errno == EAGAIN ? true : (lose(one), false);
        one->sent += sent;
    }
    while (request.file >= 0 && one->file_at < (off_t)request.length) {
        ssize_t sent = sendfile(one->fd, request.file, &one->file_at, request.length - one->file_at);
        if (sent < 0) return errno == EAGAIN ? true : (lose(one), false);
    }
    return true;
}

static void begin(struct connection *one, int64_t due) {
    one->part = HEAD, one->head_length = one->body_at = one->sent = 0, one->file_at = request.head;
    one->right = true, one->due = due, one->first_byte = 0;
    one->looked_at = begun % sample == 0;
    begun++;
    if (keys) one->key = keys + (key_length + 1) * (key_next++ % key_count);
    push(one);
}

static void remember(const char *data, size_t size) {
    if (seen_length + size > seen_room) seen = realloc(seen, seen_room = 2 * (seen_length + size));
    memcpy(seen + seen_length, data, size);
    seen_length += size;
}

static void take_body(struct connection *one, const char *data, size_t size) {
    if (one->looked_at && expected) {
        bool fits = one->body_at + size <= expected_length && !memcmp(expected + one->body_at, data, size);
        one->right = one->right && fits;
    }
    if (!one->first_byte) one->first_byte = now_ns();
    if (one->body_at == 0) seen_length = 0;
    if (contained || (!wrong && !answered)) remember(data, size);
    for (const char *at = data; (at = memmem(at, data + size - at, "data: ", 6)); at += 6) events_seen++;
    one->body_at += size;
}

static void finish(struct connection *one) {
    int64_t now = now_ns();
    bool right = one->right && one->status == status;
    if (expected && one->looked_at) right = right && one->body_at == expected_length;
    if (contained) right = right && memmem(seen, seen_length, contained, strlen(contained));
    if (!right && !wrong)
        fprintf(stderr, "a wrong answer, status %d, %zu bytes: %.*s\n", one->status, one->body_at,
                (int)(seen_length < 600 ? seen_length : 600), seen ? seen : "");
    wrong += !right;
    answered++;
    int64_t latency = now - one->due;
    latencies[bucket_of(latency)]++;
    first_bytes[bucket_of((one->first_byte ? one->first_byte : now) - one->due)]++;
    total_latency += latency;
    if (latency > longest) longest = latency;
    rest(one);
}

static void understand_head(struct connection *one) {
    one->head[one->head_length] = 0;
    one->status = atoi(one->head + 9);
    char *length = strcasestr(one->head, "\r\ncontent-length:");
    if (strcasestr(one->head, "\r\ntransfer-encoding: chunked")) {
        one->part = CHUNK_SIZE, one->left = 0;
    } else if (length) {
        one->left = atoll(length + 17), one->part = LENGTH;
        if (!one->left) finish(one);
    } else {
        one->part = UNTIL_CLOSE;
    }
}

/* Takes some of the bytes; how many. */
static size_t take(struct connection *one, const char *data, size_t size) {
    switch (one->part) {
    case HEAD: {
        size_t before = one->head_length, room = HEAD_BYTES - 1 - before, taken = size < room ? size : room;
        memcpy(one->head + before, data, taken);
        one->head_length += taken;
        char *end = memmem(one->head, one->head_length, "\r\n\r\n", 4);
        if (!end) return taken;
        one->head_length = end + 4 - one->head;
        size_t used = one->head_length - before;
        understand_head(one);
        return used;
    }
    case LENGTH: case CHUNK_DATA: {
        size_t taken = (long long)size < one->left ? size : (size_t)one->left;
        take_body(one, data, taken);
        one->left -= taken;
        if (one->left) return taken;
        if (one->part == LENGTH) finish(one);
        else one->part = CHUNK_END;
        return taken;
    }
    case CHUNK_SIZE: {
        char byte = *data;
        if (byte == '\n') one->part = one->left ? CHUNK_DATA : TRAILER;
        else if (byte != '\r') one->left = one->left * 16 + (byte <= '9' ? byte - '0' : (byte | 32) - 'a' + 10);
        return 1;
    }
    case CHUNK_END: case TRAILER:
        if (*data == '\n') {
            if (one->part == TRAILER) finish(one);
            else one->part = CHUNK_SIZE, one->left = 0;
        }
        return 1;
    case UNTIL_CLOSE:
        take_body(one, data, size);
        return size;
    default:
        return 0;
    }
}

static void readable(struct connection *one) {
    for (;;) {
        bool skip = one->part == LENGTH && !one->looked_at && one->left > BIG;
        ssize_t got = skip ? recv(one->fd, NULL, one->left - 1, MSG_TRUNC) : recv(one->fd, buffer, IN_BYTES, 0);
        if (got < 0 && errno == EAGAIN) return;
        if (got <= 0) {
            if (got == 0 && one->part == UNTIL_CLOSE) {
                reconnect(one);
                return finish(one);
            }
            return lose(one);
        }
        bytes_in += got;
        if (skip) {
            one->left -= got, one->body_at += got;
            continue;
        }
        for (size_t at = 0, used; at < (size_t)got; at += used)
            if (!(used = take(one, buffer + at, got - at))) return lose(one);
        if (one->part == IDLE) return;
    }
}

static void begin_what_is_due(int64_t now) {
    while (idle_count && now < ends_at && begun != count_limit) {
        if (!rate) {
            begin(idle[--idle_count], now_ns());
        } else {
            if (next_due > now) return;
            begin(idle[--idle_count], next_due);
            next_due += (int64_t)(-log(1.0 - random_unit()) / rate * SECOND);
        }
    }
}

static void run(void) {
    struct epoll_event events[BATCH];
    for (;;) {
        int64_t now = now_ns();
        begin_what_is_due(now);
        bool over = now >= ends_at || begun == count_limit;
        if (over && idle_count == connections) return;
        if (now > ends_at + GIVE_UP) {
            failed += connections - idle_count;
            return;
        }
        int64_t until = over ? now + SECOND : rate && idle_count ? next_due : ends_at;
        int64_t wait = until > now ? until - now : 0;
        struct timespec patience = {wait / SECOND, wait % SECOND};
        int ready = epoll_pwait2(epoll_fd, events, BATCH, &patience, NULL);
        for (int index = 0; index < ready; index++) {
            struct connection *one = events[index].data.ptr;
            if ((events[index].events & EPOLLOUT) && one->part != IDLE && !push(one)) continue;
            if (events[index].events & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP)) readable(one);
        }
    }
}

static void understand(char *word) {
    char *value = strchr(word, '=');
    if (!value) fprintf(stderr, "what is %s?\n", word), exit(2);
    *value++ = 0;
    size_t ignored;
    if (!strcmp(word, "port")) port = atoi(value);
    else if (!strcmp(word, "connections")) connections = atoi(value);
    else if (!strcmp(word, "request")) {
        request.bytes = read_file(value, &request.length);
        char *end = memmem(request.bytes, request.length, "\r\n\r\n", 4);
        request.head = end ? (size_t)(end + 4 - request.bytes) : request.length;
        request.file = request.length > BIG ? open(value, O_RDONLY) : -1;
    } else if (!strcmp(word, "expect")) expected = read_file(value, &expected_length);
    else if (!strcmp(word, "contains")) contained = value;
    else if (!strcmp(word, "keys")) keys = read_file(value, &ignored);
    else if (!strcmp(word, "sample")) sample = atoi(value);
    else if (!strcmp(word, "status")) status = atoi(value);
    else if (!strcmp(word, "rate")) rate = atof(value);
    else if (!strcmp(word, "seconds")) seconds = atof(value);
    else if (!strcmp(word, "count")) count_limit = atoll(value);
    else if (!strcmp(word, "seed")) chance ^= strtoull(value, NULL, 10) * 2654435761ULL;
    else fprintf(stderr, "what is %s?\n", word), exit(2);
}

static void set_up(void) {
    if (keys) {
        key_length = strcspn(keys, "\n");
        for (char *at = keys; *at; at += key_length + 1) key_count++;
        key_at = memmem(request.bytes, request.head, "mzk_", 4);
        if (!key_at) fprintf(stderr, "the request carries no key\n"), exit(2);
    }
    epoll_fd = epoll_create1(0);
    all = calloc(connections, sizeof *all);
    idle = calloc(connections, sizeof *idle);
    for (int index = 0; index < connections; index++) {
        all[index].fd = connected();
        watch(&all[index]);
        rest(&all[index]);
    }
}

int main(int word_count, char **words) {
    for (int index = 1; index < word_count; index++) understand(words[index]);
    signal(SIGPIPE, SIG_IGN);
    set_up();
    struct rusage used_before, used;
    getrusage(RUSAGE_SELF, &used_before);
    began_at = next_due = now_ns();
    ends_at = began_at + (int64_t)(seconds * SECOND);
    run();
    double lasted = (now_ns() - began_at) / 1e9;
    getrusage(RUSAGE_SELF, &used);
    double cpu = used.ru_utime.tv_sec - used_before.ru_utime.tv_sec + used.ru_stime.tv_sec - used_before.ru_stime.tv_sec +
                 (used.ru_utime.tv_usec - used_before.ru_utime.tv_usec + used.ru_stime.tv_usec - used_before.ru_stime.tv_usec) / 1e6;
    printf("{\"answered\":%lld,\"failed\":%lld,\"wrong\":%lld,\"events\":%lld,\"bytes\":%lld,\"reconnected\":%lld,"
           "\"seconds\":%.4f,\"cpu_seconds\":%.4f,\"mean_us\":%.3f,\"p50_us\":%.3f,\"p90_us\":%.3f,\"p99_us\":%.3f,"
           "\"max_us\":%.3f,\"first_byte_p50_us\":%.3f,\"first_byte_p99_us\":%.3f}\n",
           answered, failed, wrong, events_seen, bytes_in, reconnected, lasted, cpu,
           answered ? total_latency / 1e3 / answered : 0, quantile(latencies, 0.5), quantile(latencies, 0.9),
           quantile(latencies, 0.99), longest / 1e3, quantile(first_bytes, 0.5), quantile(first_bytes, 0.99));
    return failed || wrong ? 1 : 0;
}
