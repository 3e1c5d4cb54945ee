/* The adapter for secure-chat's relay: MessagePack by hand, login with Ed25519.
 *
 * LG_IDENTITIES names a file with one line per connection, in hexadecimal:
 *     device seed, device id, store id, device certificate, channel, position
 * `channel` is what a sender appends to and what a member or receiver subscribes to, from `position` on;
 * LG_CERTIFICATE is the SHA-256 of the server's certificate, which a login signs.
 */
#define _GNU_SOURCE
#include "lg.h"
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ID = 16, KEY = 32, SIGNATURE = 64, ACK_MS = 100 };

typedef struct {
    unsigned char seed[KEY], device[ID], store[ID], channel[ID], nonce[KEY];
    unsigned char *certificate;
    size_t certificate_length;
    uint64_t position, counter, head, seen, acked_at, subscribed_at;
} identity;

static identity *identities;
static int identity_count;
static unsigned char server_certificate[KEY];
static uint64_t request;

/* ---- writing MessagePack ---- */

typedef struct {
    unsigned char *p;
    size_t n;
} out;

static void byte(out *o, int b) { o->p[o->n++] = (unsigned char)b; }

static void big(out *o, uint64_t v, int bytes) {
    while (bytes--) byte(o, (int)(v >> (8 * bytes)) & 255);
}

static void array(out *o, int n) { byte(o, 0x90 | n); }

static void text(out *o, const char *s) {
    size_t n = strlen(s);
    byte(o, 0xa0 | (int)n);
    memcpy(o->p + o->n, s, n);
    o->n += n;
}

static void number(out *o, uint64_t v) {
    if (v < 128) byte(o, (int)v);
    else if (v < 1ull << 16) byte(o, 0xcd), big(o, v, 2);
    else if (v < 1ull << 32) byte(o, 0xce), big(o, v, 4);
    else byte(o, 0xcf), big(o, v, 8);
}

static void bin(out *o, const void *p, size_t n) {
    if (n < 256) byte(o, 0xc4), byte(o, (int)n);
    else byte(o, 0xc5), big(o, n, 2);
    memcpy(o->p + o->n, p, n);
    o->n += n;
}

static unsigned char frame[8192];

static out begin(void) {
    out o = {frame, 4};
    return o;
}

static void finish(conn *c, out *o) {
    size_t n = o->n - 4;
    for (int i = 0; i < 4; i++) frame[i] = (unsigned char)(n >> (24 - 8 * i));
    lg_out(c, frame, o->n);
}

/* ---- reading MessagePack: what is not needed is skipped ---- */

typedef struct {
    const unsigned char *p, *end;
} in;

static uint64_t take(in *i, int bytes) {
    uint64_t v = 0;
    if (i->end - i->p < bytes) lg_fatal("relay: message too short");
    while (bytes--) v = v << 8 | *i->p++;
    return v;
}

/* Reads one head: returns its kind ('u' number, 'b' bytes or text, 'a' array, 'n' other) and its value or length. */
static int head(in *i, uint64_t *v) {
    int t = (int)take(i, 1);
    if (t < 0x80) return *v = (uint64_t)t, 'u';
    if (t < 0x90) return lg_fatal("relay: a map"), 0;
    if (t < 0xa0) return *v = (uint64_t)(t & 15), 'a';
    if (t < 0xc0) return *v = (uint64_t)(t & 31), 'b';
    switch (t) {
    case 0xc0:
    case 0xc2:
    case 0xc3:
        return *v = (uint64_t)(t & 1), 'n';
    case 0xc4:
    case 0xd9:
        return *v = take(i, 1), 'b';
    case 0xc5:
    case 0xda:
        return *v = take(i, 2), 'b';
    case 0xc6:
    case 0xdb:
        return *v = take(i, 4), 'b';
    case 0xcc:
        return *v = take(i, 1), 'u';
    case 0xcd:
        return *v = take(i, 2), 'u';
    case 0xce:
        return *v = take(i, 4), 'u';
    case 0xcf:
        return *v = take(i, 8), 'u';
    case 0xdc:
        return *v = take(i, 2), 'a';
    case 0xdd:
        return *v = take(i, 4), 'a';
    default:
        return lg_fatal("relay: MessagePack type %02x", t), 0;
    }
}

static void skip(in *i, int count) {
    while (count-- > 0) {
        uint64_t v;
        int kind = head(i, &v);
        if (kind == 'b') i->p += v;
        else if (kind == 'a') skip(i, (int)v);
    }
}

static uint64_t get_number(in *i) {
    uint64_t v;
    if (head(i, &v) != 'u') lg_fatal("relay: a number was expected");
    return v;
}

static const unsigned char *get_bytes(in *i, uint64_t *n) {
    if (head(i, n) != 'b' || (uint64_t)(i->end - i->p) < *n) lg_fatal("relay: bytes were expected");
    i->p += *n;
    return i->p - *n;
}

static int get_array(in *i) {
    uint64_t n;
    if (head(i, &n) != 'a') lg_fatal("relay: an array was expected");
    return (int)n;
}

/* ---- identities ---- */

static size_t unhex(const char *s, unsigned char *to) {
    size_t n = strlen(s) / 2;
    for (size_t i = 0; i < n; i++) {
        unsigned b;
        sscanf(s + 2 * i, "%2x", &b);
        to[i] = (unsigned char)b;
    }
    return n;
}

static void load(void) {
    const char *name = getenv("LG_IDENTITIES"), *hash = getenv("LG_CERTIFICATE");
    FILE *f = name ? fopen(name, "r") : NULL;
    if (!f || !hash) lg_fatal("relay: LG_IDENTITIES and LG_CERTIFICATE are needed");
    unhex(hash, server_certificate);
    static char seed[128], device[64], store[64], certificate[2048], channel[64];
    unsigned long long position;
    int capacity = 0;
    while (fscanf(f, "%127s %63s %63s %2047s %63s %llu", seed, device, store, certificate, channel, &position) == 6) {
        if (identity_count == capacity) {
            capacity = capacity ? 2 * capacity : 256;
            identities = realloc(identities, (size_t)capacity * sizeof *identities);
        }
        identity *d = &identities[identity_count++];
        memset(d, 0, sizeof *d);
        unhex(seed, d->seed), unhex(device, d->device), unhex(store, d->store), unhex(channel, d->channel);
        d->certificate = malloc(strlen(certificate) / 2);
        d->certificate_length = unhex(certificate, d->certificate);
        d->position = position;
    }
    fclose(f);
}

static identity *of(const conn *c) {
    if (!identities) load();
    if (c->id >= identity_count) lg_fatal("relay: %d identities, connection %d", identity_count, c->id);
    return &identities[c->id];
}

/* ---- the protocol ---- */

static uint64_t milliseconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void relay_start(conn *c) {
    identity *d = of(c);
    for (int i = 0; i < KEY; i++) d->nonce[i] = (unsigned char)(rand() >> 7);
    out o = begin();
    array(&o, 4), text(&o, "hello"), array(&o, 1), number(&o, 1), array(&o, 0), bin(&o, d->nonce, KEY);
    finish(c, &o);
}

static void field(unsigned char **p, const void *data, size_t n) {
    for (int i = 0; i < 4; i++) *(*p)++ = (unsigned char)(n >> (24 - 8 * i));
    memcpy(*p, data, n);
    *p += n;
}

static void login(conn *c, const unsigned char *server_nonce) {
    identity *d = of(c);
    static unsigned char message[512], signature[SIGNATURE];
    unsigned char *p = message;
    p += sprintf((char *)p, "secure-chat 1 login") + 1;
    field(&p, d->device, ID), field(&p, d->store, ID), field(&p, d->nonce, KEY), field(&p, server_nonce, KEY);
    field(&p, server_certificate, KEY);
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, d->seed, KEY);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    size_t n = SIGNATURE;
    if (EVP_DigestSignInit(md, NULL, NULL, NULL, key) != 1 ||
        EVP_DigestSign(md, signature, &n, message, (size_t)(p - message)) != 1)
        lg_fatal("relay: signing failed");
    EVP_MD_CTX_free(md), EVP_PKEY_free(key);
    out o = begin();
    array(&o, 5), text(&o, "login"), number(&o, ++request), bin(&o, d->certificate, d->certificate_length);
    bin(&o, d->store, ID), bin(&o, signature, SIGNATURE);
    finish(c, &o);
}

static void position(conn *c, const char *kind, uint64_t seq, int with_id) {
    identity *d = of(c);
    out o = begin();
    array(&o, with_id ? 3 : 2), text(&o, kind);
    if (with_id) number(&o, ++request);
    array(&o, 1), array(&o, 2), bin(&o, d->channel, ID), number(&o, seq);
    finish(c, &o);
}

static void logged_in(conn *c, in *i) {
    identity *d = of(c);
    skip(i, 3);
    d->counter = get_number(i);
    skip(i, 1);
    for (int n = get_array(i); n > 0; n--) { /* channel, kind, name, peer, generation, head, … */
        int fields = get_array(i);
        uint64_t length;
        const unsigned char *channel = get_bytes(i, &length);
        skip(i, 4);
        uint64_t h = get_number(i);
        skip(i, fields - 6);
        if (!memcmp(channel, d->channel, ID)) d->head = h;
    }
    if (c->role == ROLE_SENDER) {
        lg_ready(c);
        return;
    }
    d->subscribed_at = milliseconds();
    position(c, "subscribe", d->position, 1);
    if (lg_login_only()) lg_ready(c);
}

static void entry(conn *c, in *i) { /* channel, seq, kind, sender, store, counter, time, head, payload, … */
    identity *d = of(c);
    uint64_t n;
    skip(i, 1);
    d->seen = get_number(i);
    skip(i, 6);
    const unsigned char *payload = get_bytes(i, &n);
    if (n > 20 && *payload == 'S') lg_delivery(c, (const char *)payload, n);
}

static void message(conn *c, in *i) {
    uint64_t n;
    if (get_array(i) < 1) lg_fatal("relay: an empty message");
    const unsigned char *tag = get_bytes(i, &n);
#define IS(name) (n == sizeof name - 1 && !memcmp(tag, name, n))
    if (IS("entry")) entry(c, i);
    else if (IS("appended")) skip(i, 1), of(c)->seen = get_number(i);
    else if (IS("hello_ack")) skip(i, 2), login(c, get_bytes(i, &n));
    else if (IS("logged_in")) logged_in(c, i);
    else if (IS("caught_up")) lg_ready(c);
    else if (IS("error")) {
        uint64_t id = get_number(i), length;
        const unsigned char *code = get_bytes(i, &length);
        uint64_t m;
        const unsigned char *words = get_bytes(i, &m);
        fprintf(stderr, "relay: error %llu %.*s: %.*s\n", (unsigned long long)id, (int)length, code, (int)m, words);
    } else if (IS("goodbye")) lg_fatal("relay: goodbye");
#undef IS
}

static size_t relay_input(conn *c, char *p, size_t n) {
    size_t used = 0;
    while (n - used >= 4) {
        const unsigned char *q = (unsigned char *)p + used;
        size_t length = (size_t)q[0] << 24 | (size_t)q[1] << 16 | (size_t)q[2] << 8 | q[3];
        if (n - used < 4 + length) break;
        in i = {q + 4, q + 4 + length};
        message(c, &i);
        if (c->state == ST_CLOSED) return used;
        used += 4 + length;
    }
    identity *d = of(c);
    if (d->seen > d->position) { /* cumulative and at most ten times a second, as the protocol asks */
        uint64_t t = milliseconds();
        if (t - d->acked_at >= ACK_MS) {
            d->acked_at = t, d->position = d->seen;
            position(c, "ack", d->seen, 0);
        }
    }
    return used;
}

static void append(conn *c, const char *payload, size_t n) {
    identity *d = of(c);
    out o = begin();
    array(&o, 7), text(&o, "append"), number(&o, ++request), bin(&o, d->channel, ID), number(&o, ++d->counter);
    number(&o, 1), number(&o, d->head), bin(&o, payload, n);
    finish(c, &o);
}

static void relay_room(conn *c, int room, const char *payload, size_t n) { (void)room, append(c, payload, n); }

static void relay_direct(conn *c, int to, const char *payload, size_t n) { (void)to, append(c, payload, n); }

adapter relay_adapter = {"relay", 0, relay_start, relay_input, relay_room, relay_direct, 4000};
