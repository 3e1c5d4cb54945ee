/* The peers that the relay is measured beside: one small block per protocol. */
#define _GNU_SOURCE
#include "lg.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* ---------- mqtt 3.1.1 QoS 0 ---------- */
static int mq_len(char *b, size_t n) {
    int i = 0;
    do {
        b[i] = n % 128;
        n /= 128;
        if (n) b[i] |= 0x80;
        i++;
    } while (n);
    return i;
}
static void mq_start(conn *c) {
    char id[32];
    int l = sprintf(id, "c%d_%d", getpid() % 100000, c->id);
    char b[64];
    int k = 0;
    b[k++] = 0x10;
    b[k++] = 10 + 2 + l;
    memcpy(b + k, "\0\4MQTT\4\2\0\0", 10);
    k += 10;
    b[k++] = 0;
    b[k++] = l;
    memcpy(b + k, id, l);
    k += l;
    lg_out(c, b, k);
}
static void mq_sub(conn *c, const char *t) {
    int l = strlen(t);
    char b[64];
    int k = 0;
    b[k++] = 0x82;
    b[k++] = 2 + 2 + l + 1;
    b[k++] = 0;
    b[k++] = 1;
    b[k++] = 0;
    b[k++] = l;
    memcpy(b + k, t, l);
    k += l;
    b[k++] = 0;
    lg_out(c, b, k);
}
static size_t mq_input(conn *c, char *p, size_t n) {
    size_t u = 0;
    while (n - u >= 2) {
        size_t l = 0, i = 1;
        int sh = 0, ok = 0;
        for (; i < 5 && u + i < n; i++) {
            l |= (size_t)(p[u + i] & 127) << sh;
            sh += 7;
            if (!(p[u + i] & 0x80)) {
                ok = 1;
                i++;
                break;
            }
        }
        if (!ok || n - u < i + l) break;
        int t = (p[u] >> 4) & 15;
        char *q = p + u + i;
        if (t == 3) {
            int tl = (unsigned char)q[0] << 8 | (unsigned char)q[1];
            lg_delivery(c, q + 2 + tl, l - 2 - tl);
        } else if (t == 2) {
            char tp[32];
            if (q[1]) lg_fatal("mqtt connack %d", q[1]);
            if (c->role == ROLE_MEMBER) {
                sprintf(tp, "r/%d", c->room);
                mq_sub(c, tp);
            } else if (c->role == ROLE_IDLE) {
                mq_sub(c, "idle/x");
            } else if (c->role == ROLE_PAIR_RX) {
                sprintf(tp, "d/%d", c->id);
                mq_sub(c, tp);
            } else lg_ready(c);
        } else if (t == 9) lg_ready(c);
        u += i + l;
    }
    return u;
}
static void mq_pub(conn *c, const char *t, const char *p, size_t n) {
    int tl = strlen(t);
    char b[4400];
    int k = 0;
    b[k++] = 0x30;
    k += mq_len(b + k, 2 + tl + n);
    b[k++] = 0;
    b[k++] = tl;
    memcpy(b + k, t, tl);
    k += tl;
    memcpy(b + k, p, n);
    lg_out(c, b, k + n);
}
static void mq_room(conn *c, int r, const char *p, size_t n) {
    char t[32];
    sprintf(t, "r/%d", r);
    mq_pub(c, t, p, n);
}
static void mq_dir(conn *c, int r, const char *p, size_t n) {
    char t[32];
    sprintf(t, "d/%d", r);
    mq_pub(c, t, p, n);
}
static adapter mqtt = {"mqtt", 0, mq_start, mq_input, mq_room, mq_dir, 4000};
/* ---------- nats ---------- */
static void na_start(conn *c) {
    char b[256];
    int k = sprintf(b, "CONNECT "
                       "{\"verbose\":false,\"pedantic\":false,\"tls_required\":true,\"lang\":\"c\",\"version\":\"1\","
                       "\"protocol\":1,\"echo\":false}\r\n");
    if (c->role == ROLE_MEMBER) k += sprintf(b + k, "SUB r.%d 1\r\n", c->room);
    else if (c->role != ROLE_SENDER) k += sprintf(b + k, "SUB d.%d 1\r\n", c->id);
    k += sprintf(b + k, "PING\r\n");
    lg_out(c, b, k);
}
static size_t na_input(conn *c, char *p, size_t n) {
    size_t u = 0;
    while (u < n) {
        char *e = memchr(p + u, '\n', n - u);
        if (!e) break;
        size_t l = e - (p + u) + 1;
        char *q = p + u;
        if (!memcmp(q, "MSG ", 4)) {
            char *z = e;
            while (z > q && (*z == '\n' || *z == '\r')) z--;
            while (z > q && *z != ' ') z--;
            size_t pn = atoi(z + 1);
            if (n - u < l + pn + 2) break;
            lg_delivery(c, q + l, pn);
            u += l + pn + 2;
            continue;
        }
        if (!memcmp(q, "PING", 4)) lg_out(c, "PONG\r\n", 6);
        else if (!memcmp(q, "PONG", 4)) lg_ready(c);
        else if (!memcmp(q, "-ERR", 4)) fprintf(stderr, "nats: %.*s", (int)l, q);
        u += l;
    }
    return u;
}
static void na_pub(conn *c, char k0, int r, const char *p, size_t n) {
    char b[4400];
    int k = sprintf(b, "PUB %c.%d %zu\r\n", k0, r, n);
    memcpy(b + k, p, n);
    memcpy(b + k + n, "\r\n", 2);
    lg_out(c, b, k + n + 2);
}
static void na_room(conn *c, int r, const char *p, size_t n) { na_pub(c, 'r', r, p, n); }
static void na_dir(conn *c, int r, const char *p, size_t n) { na_pub(c, 'd', r, p, n); }
static adapter nats = {"nats", 1, na_start, na_input, na_room, na_dir, 4000};
/* ---------- irc (payload limited by 512-byte lines) ---------- */
static void irc_start(conn *c) {
    char b[128];
    int k = sprintf(b, "NICK n%d_%d\r\nUSER u 0 * :u\r\n", getpid() % 1000, c->id);
    lg_out(c, b, k);
}
static size_t irc_input(conn *c, char *p, size_t n) {
    size_t u = 0;
    while (u < n) {
        char *e = memchr(p + u, '\n', n - u);
        if (!e) break;
        size_t l = e - (p + u) + 1;
        char *q = p + u;
        if (!memcmp(q, "PING", 4)) {
            lg_out(c, "PONG", 4);
            lg_out(c, q + 4, l - 4);
        } else if (*q == ':') {
            char *s = memchr(q, ' ', l);
            if (s) {
                s++;
                if (!memcmp(s, "PRIVMSG ", 8)) {
                    char *m = memchr(s + 8, ' ', e - s - 8);
                    if (m && m[1] == ':') {
                        size_t pn = e - (m + 2);
                        if (pn && m[2 + pn - 1] == '\r') pn--;
                        lg_delivery(c, m + 2, pn);
                    }
                } else if (!memcmp(s, "001", 3)) {
                    if (c->role == ROLE_MEMBER) {
                        char b[64];
                        int k = sprintf(b, "JOIN #r%d\r\n", c->room);
                        lg_out(c, b, k);
                    } else lg_ready(c);
                } else if (!memcmp(s, "366", 3)) lg_ready(c);
                else if (*s == '4' && memcmp(s, "422", 3)) fprintf(stderr, "irc: %.*s", (int)l, q);
            }
        } else if (!memcmp(q, "ERROR", 5)) fprintf(stderr, "irc: %.*s", (int)l, q);
        u += l;
    }
    return u;
}
static void irc_msg(conn *c, const char *t, const char *p, size_t n) {
    char b[700];
    int k = sprintf(b, "PRIVMSG %s :", t);
    memcpy(b + k, p, n);
    memcpy(b + k + n, "\r\n", 2);
    lg_out(c, b, k + n + 2);
}
static void irc_room(conn *c, int r, const char *p, size_t n) {
    char t[32];
    sprintf(t, "#r%d", r);
    irc_msg(c, t, p, n);
}
static void irc_dir(conn *c, int r, const char *p, size_t n) {
    char t[32];
    sprintf(t, "n%d_%d", getpid() % 1000, r);
    irc_msg(c, t, p, n);
}
static adapter irc = {"irc", 0, irc_start, irc_input, irc_room, irc_dir, 400};
extern adapter relay_adapter;
adapter *adapters[] = {&relay_adapter, &mqtt, &nats, &irc, NULL};
