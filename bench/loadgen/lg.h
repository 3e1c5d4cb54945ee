/* Shared between lg.c (engine) and the adapters (protocols). */
#ifndef LG_H
#define LG_H
#include <openssl/ssl.h>
#include <stddef.h>
#include <stdint.h>
enum { ROLE_IDLE = 0, ROLE_SENDER = 1, ROLE_MEMBER = 2, ROLE_PAIR_RX = 3 };
enum { ST_CONNECTING, ST_PREAMBLE, ST_TLS, ST_LOGIN, ST_READY, ST_CLOSED };
typedef struct {
    char *p;
    size_t off, len, cap;
} buf_t;
typedef struct conn {
    int fd, state, id, role, room, peer, pst, want_out, stalled;
    SSL *ssl;
    buf_t in, out;
    uint64_t sent, dsum; /* sender: messages sent, deliveries seen of its messages */
} conn;
/* A protocol adapter: swap this to measure another server. */
typedef struct {
    const char *name;
    int plain_preamble;     /* 1: server sends one plaintext line before TLS (NATS) */
    void (*start)(conn *c); /* TLS is up: queue login bytes with lg_out()            */
    /* parse received bytes; return bytes consumed; call lg_ready(c) once logged in/joined,
       lg_delivery(c, payload, n) for every delivered application payload */
    size_t (*input)(conn *c, char *p, size_t n);
    void (*send_room)(conn *c, int room, const char *pl, size_t n);
    void (*send_direct)(conn *c, int to, const char *pl, size_t n);
    int max_payload; /* 0: no limit */
} adapter;
void lg_out(conn *c, const void *p, size_t n);
void lg_ready(conn *c);
void lg_delivery(conn *c, const char *payload, size_t n);
int lg_login_only(void); /* -l: connections end once they are logged in */
void lg_fatal(const char *fmt, ...);
extern adapter *adapters[];
#endif
