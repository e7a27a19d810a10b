/* What would an engine answer that costs nothing? One thread, fixed bytes: OpenAI chat and the Open Inference Protocol.
 *
 *   engine PORT [CHUNKS] [INTERVAL_US]
 *
 * POST /v1/...: one JSON document, or with "stream":true CHUNKS events, INTERVAL_US apart, each in an HTTP chunk of its
 * own, then usage where it was asked for. A text with @hold in it gets one event and then silence; one with @flood gets
 * events without end, as fast as they are taken.
 * POST /v2/models/tN/infer: a tensor of N bytes; what was sent is thrown away unread. GET: metadata.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"

#define MODEL "m"
#define IN_BYTES 65536
#define EVENT_BYTES 256
#define MOST_SIZES 8
#define BATCH 256

enum after { NOTHING, STREAM, HOLD, FLOOD };

struct connection {
    int fd;
    char *in;
    size_t in_length;
    char *out;
    size_t out_length, out_sent, out_room;
    int file;
    off_t file_at;
    size_t file_left;
    long long discard;
    size_t tensor;
    enum after mode;
    bool usage;
    int chunks_left;
    int64_t next_at;
    int place;
};

static int epoll_fd, chunks = 16;
static int64_t interval = 20000 * 1000LL;
static struct connection **streams;
static int stream_count, stream_room;
static struct { size_t size; int file; size_t header, total; } tensors[MOST_SIZES];

static const char CHAT[] =
    "{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion\",\"created\":1767225600,\"model\":\"" MODEL "\",\"choices\":["
    "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"The gateway reads a request, finds out whose key it "
    "carries, takes what it may use from every limit and budget, asks an engine and passes on what that says. Whatever "
    "was not used is given back, and what was used is written down exactly once.\"},\"logprobs\":null,\"finish_reason\":"
    "\"stop\"}],\"usage\":{\"prompt_tokens\":64,\"total_tokens\":112,\"completion_tokens\":48}}";
static const char USAGE[] =
    "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1767225600,\"model\":\"" MODEL
    "\",\"choices\":[],\"usage\":{\"prompt_tokens\":64,\"total_tokens\":112,\"completion_tokens\":48}}\n\n";
static const char DONE[] = "data: [DONE]\n\n";
static const char METADATA[] =
    "{\"name\":\"" MODEL "\",\"versions\":[\"1\"],\"platform\":\"bench\",\"inputs\":[{\"name\":\"x\",\"datatype\":\"UINT8\","
    "\"shape\":[-1]}],\"outputs\":[{\"name\":\"y\",\"datatype\":\"UINT8\",\"shape\":[-1]}]}";
static const char MODELS[] = "{\"object\":\"list\",\"data\":[{\"id\":\"" MODEL "\",\"object\":\"model\",\"owned_by\":\"bench\"}]}";

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void put(struct connection *one, const void *data, size_t size) {
    if (one->out_length + size > one->out_room) {
        one->out_room = (one->out_length + size) * 2;
        one->out = realloc(one->out, one->out_room);
        if (!one->out) fail("realloc");
    }
    memcpy(one->out + one->out_length, data, size);
    one->out_length += size;
}

static void put_document(struct connection *one, const char *body) {
    char head[160];
    int size = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %zu\r\n\r\n",
                        strlen(body));
    put(one, head, size);
    put(one, body, strlen(body));
}

static void put_chunk(struct connection *one, const char *data, size_t size) {
    char head[16];
    put(one, head, snprintf(head, sizeof head, "%zx\r\n", size));
    put(one, data, size);
    put(one, "\r\n", 2);
}

static void put_event(struct connection *one, int number) {
    char event[EVENT_BYTES];
    int size = snprintf(event, sizeof event,
                        "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1767225600,"
                        "\"model\":\"" MODEL "\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"word%06d \"},"
                        "\"finish_reason\":null}]}\n\n",
                        number);
    put_chunk(one, event, size);
}

static void leave_streams(struct connection *one) {
    if (one->place < 0) return;
    streams[one->place] = streams[--stream_count];
    streams[one->place]->place = one->place;
    one->place = -1;
}

static void drop(struct connection *one) {
    leave_streams(one);
    close(one->fd);
    free(one->in);
    free(one->out);
    free(one);
}

static void flood(struct connection *one) {
    for (int number = 0; number < BATCH; number++) put_event(one, number);
}

/* False where the connection is gone. */
static bool flush(struct connection *one) {
    for (;;) {
        if (one->mode == FLOOD && one->out_sent == one->out_length) {
            one->out_sent = one->out_length = 0;
            flood(one);
        }
        if (one->out_sent < one->out_length) {
            ssize_t sent = send(one->fd, one->out + one->out_sent, one->out_length - one->out_sent,
                                MSG_NOSIGNAL | (one->file_left ? MSG_MORE : 0));
            if (sent < 0) return errno == EAGAIN ? true : (drop(one), false);
            one->out_sent += sent;
        } else if (one->file_left) {
            ssize_t sent = sendfile(one->fd, one->file, &one->file_at, one->file_left);
            if (sent < 0) return errno == EAGAIN ? true : (drop(one), false);
            one->file_left -= sent;
        } else {
            one->out_sent = one->out_length = 0;
            return true;
        }
    }
}

static int tensor_of(size_t size) {
    int at = 0;
    while (at < MOST_SIZES && tensors[at].size && tensors[at].size != size) at++;
    if (at == MOST_SIZES) exit(2);
    if (tensors[at].size) return at;
    char header[256];
    int length = snprintf(header, sizeof header,
                          "{\"model_name\":\"" MODEL "\",\"model_version\":\"1\",\"outputs\":[{\"name\":\"y\",\"datatype\":\"UINT8\","
                          "\"shape\":[%zu],\"parameters\":{\"binary_data_size\":%zu}}]}",
                          size, size);
    char *bytes = malloc(size);
    for (size_t index = 0; index < size; index++) bytes[index] = (char)(index * 31 >> 3);
    int file = memfd_create("tensor", 0);
    if (file < 0 || write(file, header, length) != length || write(file, bytes, size) != (ssize_t)size) fail("memfd");
    free(bytes);
    tensors[at].size = size, tensors[at].file = file, tensors[at].header = length, tensors[at].total = length + size;
    return at;
}

static void put_tensor(struct connection *one) {
    int at = tensor_of(one->tensor);
    char head[256];
    put(one, head, snprintf(head, sizeof head,
                            "HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\n"
                            "inference-header-content-length: %zu\r\ncontent-length: %zu\r\n\r\n",
                            tensors[at].header, tensors[at].total));
    one->file = tensors[at].file, one->file_at = 0, one->file_left = tensors[at].total;
}

static void begin_stream(struct connection *one, const char *body, size_t size) {
    static const char HEAD[] = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
                               "cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n";
    put(one, HEAD, sizeof HEAD - 1);
    one->usage = memmem(body, size, "\"include_usage\":true", 20) != NULL;
    if (memmem(body, size, "@hold", 5)) {
        put_event(one, 0);
        one->mode = HOLD;
    } else if (memmem(body, size, "@flood", 6)) {
        one->mode = FLOOD;
    } else {
        one->mode = STREAM, one->chunks_left = chunks, one->next_at = now_ns();
        if (stream_count == stream_room) {
            stream_room = stream_room ? 2 * stream_room : 256;
            streams = realloc(streams, stream_room * sizeof *streams);
        }
        one->place = stream_count, streams[stream_count++] = one;
    }
}

static void answer(struct connection *one, const char *head, const char *body, size_t size) {
    if (!strncmp(head, "GET ", 4)) {
        bool config = strstr(head, "/config ") != NULL;
        const char *said = config ? "{}" : strstr(head, " /v2/models/") ? METADATA : strstr(head, " /v1/models ") ? MODELS : "{}";
        put_document(one, said);
    } else if (memmem(body, size, "\"stream\":true", 13) || memmem(body, size, "\"stream\": true", 14)) {
        begin_stream(one, body, size);
    } else {
        put_document(one, CHAT);
    }
}

/* Sends what is due; milliseconds until the next is. */
static int tick(void) {
    int64_t now = now_ns();
    for (int index = stream_count - 1; index >= 0; index--) {
        struct connection *one = streams[index];
        if (one->next_at > now) continue;
        if (one->chunks_left) {
            put_event(one, chunks - one->chunks_left--);
            one->next_at += interval;
        } else {
            if (one->usage) put_chunk(one, USAGE, sizeof USAGE - 1);
            put_chunk(one, DONE, sizeof DONE - 1);
            put(one, "0\r\n\r\n", 5);
            leave_streams(one);
            one->mode = NOTHING;
        }
        flush(one);
    }
    return stream_count ? 1 : -1;
}

enum taken { TAKEN, MORE_NEEDED, GONE };

/* Answers one whole request in the buffer. */
static enum taken take_request(struct connection *one) {
    char *end = memmem(one->in, one->in_length, "\r\n\r\n", 4);
    if (!end) return MORE_NEEDED;
    size_t head_length = end + 4 - one->in;
    end[2] = 0;
    char *length_at = strcasestr(one->in, "\r\ncontent-length:");
    long long length = length_at ? atoll(length_at + 17) : 0;
    char *tensor_at = strstr(one->in, " /v2/models/t");
    if (tensor_at && one->in[0] == 'P') {
        one->tensor = strtoull(tensor_at + 13, NULL, 10);
        long long here = one->in_length - head_length;
        one->discard = length - here;
        one->in_length = 0;
        if (one->discard <= 0) put_tensor(one);
        return flush(one) ? TAKEN : GONE;
    }
    end[2] = '\r';
    if (one->in_length < head_length + length) {
        if (head_length + length >= IN_BYTES) exit(3);
        return MORE_NEEDED;
    }
    answer(one, one->in, one->in + head_length, length);
    one->in_length -= head_length + length;
    memmove(one->in, one->in + head_length + length, one->in_length);
    return flush(one) ? TAKEN : GONE;
}

static void readable(struct connection *one) {
    for (;;) {
        bool discarding = one->discard > 0;
        ssize_t got = discarding ? recv(one->fd, NULL, one->discard, MSG_TRUNC)
                                 : recv(one->fd, one->in + one->in_length, IN_BYTES - one->in_length, 0);
        if (got == 0 || (got < 0 && errno != EAGAIN)) return drop(one);
        if (got < 0) return;
        if (discarding) {
            one->discard -= got;
            if (one->discard) continue;
            put_tensor(one);
            if (!flush(one)) return;
            continue;
        }
        one->in_length += got;
        enum taken taken = TAKEN;
        while (one->in_length && taken == TAKEN) taken = take_request(one);
        if (taken == GONE) return;
    }
}

static void accept_all(int listener) {
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
        if (fd < 0) return;
        int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct connection *one = calloc(1, sizeof *one);
        one->fd = fd, one->place = -1, one->in = malloc(IN_BYTES);
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = one};
        if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event)) fail("epoll_ctl");
    }
}

static int listen_on(int port) {
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 8192)) fail("listen");
    return listener;
}

int main(int count, char **words) {
    if (count < 2) return fprintf(stderr, "engine PORT [CHUNKS] [INTERVAL_US]\n"), 2;
    if (count > 2) chunks = atoi(words[2]);
    if (count > 3) interval = atoll(words[3]) * 1000;
    signal(SIGPIPE, SIG_IGN);
    int listener = listen_on(atoi(words[1]));
    epoll_fd = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, events[BATCH];
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int ready = epoll_wait(epoll_fd, events, BATCH, tick());
        for (int index = 0; index < ready; index++) {
            struct connection *one = events[index].data.ptr;
            if (!one) {
                accept_all(listener);
            } else if (events[index].events & (EPOLLERR | EPOLLHUP)) {
                drop(one);
            } else {
                if ((events[index].events & EPOLLOUT) && !flush(one)) continue;
                if (events[index].events & (EPOLLIN | EPOLLRDHUP)) readable(one);
            }
        }
    }
}
