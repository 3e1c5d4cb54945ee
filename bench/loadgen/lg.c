/* A load generator for chat servers over TLS 1.3: one thread, epoll, one result line in JSON.
 *
 *     lg -a ADAPTER -m MODE -p PORT -P SERVER_PID [options]
 *     fanout      -s senders, -n members of each of -R rooms; senders are no members
 *     pairs       -s pairs, one-way
 *     idle        -N connections
 *     handshake   -c at once, at most -r a second; -l: also log in
 *     catchup     -s connections that subscribe to a log; until all have caught up
 *
 * With -r messages a second in all are sent at fixed times, and latency counts from the time that was planned, so a
 * server that stalls can't hide it. Without, as many as keep -w messages of each sender under way. CPU is the
 * server's user and system time from /proc; `other_util` is what anything else on the machine used meanwhile.
 */
#define _GNU_SOURCE
#include "lg.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
static adapter *A;
static int ep, nready, ninflight, port = 0, nsend = 1, nmemb = 100, nrooms = 1, payload = 512, window = 16;
static int conc = 64, nstall = 0, hs_login = 0;
static double rate = 0, T = 5, warm = 1.5;
static const char *mode = "fanout", *host = "127.0.0.1";
static int pids[64], npids;
static SSL_CTX *ctx;
static conn **C;
static int nall;
static uint64_t total_del, total_sent, total_closed, hs_done, dup_bad;
static int measuring;
static char *pl;
#define HB (64 * 40)
static uint64_t hist[HB], histn;
static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}
static uint64_t nowns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}
void lg_fatal(const char *f, ...) {
    va_list a;
    va_start(a, f);
    vfprintf(stderr, f, a);
    va_end(a);
    fputc('\n', stderr);
    exit(2);
}
static void hadd(uint64_t ns) {
    if (ns < 64) {
        hist[ns]++;
        histn++;
        return;
    }
    int e = 63 - __builtin_clzll(ns);
    int i = (e - 5) * 64 + ((ns >> (e - 6)) & 63);
    if (i >= HB) i = HB - 1;
    hist[i]++;
    histn++;
}
static double hval(int i) {
    if (i < 64) return i;
    int e = i / 64 + 5;
    return (double)(1ull << e) + (double)(i % 64) * (double)(1ull << (e - 6));
}
static double pct(double q) {
    uint64_t t = q * histn, s = 0;
    for (int i = 0; i < HB; i++) {
        s += hist[i];
        if (s > t) return hval(i) / 1000.0;
    }
    return 0;
}
static void need(buf_t *b, size_t n) {
    if (b->off && b->off == b->len) b->off = b->len = 0;
    if (b->len + n > b->cap) {
        if (b->off) {
            memmove(b->p, b->p + b->off, b->len - b->off);
            b->len -= b->off;
            b->off = 0;
        }
        while (b->len + n > b->cap) b->cap = b->cap ? b->cap * 2 : 4096;
        b->p = realloc(b->p, b->cap);
    }
}
void lg_out(conn *c, const void *p, size_t n) {
    need(&c->out, n);
    memcpy(c->out.p + c->out.len, p, n);
    c->out.len += n;
}
static void mod(conn *c, int out) {
    if (c->want_out == out) return;
    c->want_out = out;
    struct epoll_event e = {.events = (c->stalled ? 0 : EPOLLIN) | (out ? EPOLLOUT : 0), .data.ptr = c};
    epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e);
}
static void closec(conn *c) {
    if (c->state == ST_CLOSED) return;
    if (c->state == ST_READY) nready--;
    else ninflight--;
    c->state = ST_CLOSED;
    if (c->ssl) {
        SSL_free(c->ssl);
        c->ssl = NULL;
    }
    close(c->fd);
    c->fd = -1;
    free(c->in.p);
    free(c->out.p);
    memset(&c->in, 0, sizeof(buf_t));
    memset(&c->out, 0, sizeof(buf_t));
}
static void lost(conn *c, const char *w) {
    total_closed++;
    if (total_closed < 4)
        fprintf(stderr, "lg: conn %d closed by peer/err (%s) state %d errno %s ssl %s\n", c->id, w, c->state,
                strerror(errno), ERR_error_string(ERR_peek_last_error(), NULL));
    ERR_clear_error();
    closec(c);
}
static void flush_(conn *c) {
    while (c->out.off < c->out.len) {
        ERR_clear_error();
        int r = SSL_write(c->ssl, c->out.p + c->out.off, c->out.len - c->out.off);
        if (r > 0) {
            c->out.off += r;
            continue;
        }
        int e = SSL_get_error(c->ssl, r);
        if (e == SSL_ERROR_WANT_WRITE) {
            mod(c, 1);
            return;
        }
        if (e == SSL_ERROR_WANT_READ) return;
        lost(c, "write");
        return;
    }
    c->out.off = c->out.len = 0;
    mod(c, 0);
}
int lg_login_only(void) { return hs_login; }
void lg_ready(conn *c) {
    if (c->state != ST_LOGIN) return;
    c->state = ST_READY;
    ninflight--;
    nready++;
}
static unsigned char hx[256];
static inline uint64_t unhex(const char *p, int n) {
    uint64_t v = 0;
    while (n--) v = v << 4 | hx[(unsigned char)*p++];
    return v;
}
void lg_delivery(conn *c, const char *p, size_t n) {
    if (n < 21 || *p != 'S') {
        dup_bad++;
        return;
    }
    uint64_t ts = unhex(p + 1, 16);
    int s = unhex(p + 17, 4);
    if (s < nall && C[s]) C[s]->dsum++;
    total_del++;
    if (measuring) hadd(nowns() - ts);
}
static void tls_start(conn *c) {
    c->state = ST_TLS;
    c->ssl = SSL_new(ctx);
    SSL_set_fd(c->ssl, c->fd);
    SSL_set_connect_state(c->ssl);
    SSL_set_tlsext_host_name(c->ssl, "localhost");
}
static void on_io(conn *c, uint32_t ev) {
    if (c->state == ST_CLOSED) return;
    if (c->state == ST_CONNECTING) {
        int e = 0;
        socklen_t l = sizeof e;
        getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &e, &l);
        if (e) {
            errno = e;
            lost(c, "connect");
            return;
        }
        if (A->plain_preamble) {
            c->state = ST_PREAMBLE;
            mod(c, 0);
            return;
        }
        tls_start(c);
    }
    if (c->state == ST_PREAMBLE) {
        char b[4096];
        int r = recv(c->fd, b, sizeof b, 0);
        if (r <= 0) {
            if (r < 0 && errno == EAGAIN) return;
            lost(c, "pre");
            return;
        }
        if (b[r - 1] == '\n') tls_start(c);
        else return;
    }
    if (c->state == ST_TLS) {
        ERR_clear_error();
        int r = SSL_do_handshake(c->ssl);
        if (r != 1) {
            int e = SSL_get_error(c->ssl, r);
            if (e == SSL_ERROR_WANT_READ) {
                mod(c, 0);
                return;
            }
            if (e == SSL_ERROR_WANT_WRITE) {
                mod(c, 1);
                return;
            }
            lost(c, "tls");
            return;
        }
        c->state = ST_LOGIN;
        hs_done++;
        if (SSL_version(c->ssl) != TLS1_3_VERSION) lg_fatal("not TLS 1.3: %s", SSL_get_version(c->ssl));
        if (!strcmp(mode, "handshake") && !hs_login) { /* one read so tickets are drained, then close */
            SSL_set_quiet_shutdown(c->ssl, 0);
            SSL_shutdown(c->ssl);
            closec(c);
            return;
        }
        A->start(c);
        flush_(c);
        if (c->state == ST_CLOSED) return;
    }
    if (ev & EPOLLOUT && c->out.off < c->out.len) {
        flush_(c);
        if (c->state == ST_CLOSED) return;
    }
    static char rb[65536];
    for (int k = 0; k < 16; k++) {
        ERR_clear_error();
        int r;
        size_t pend = c->in.len - c->in.off;
        if (pend == 0) { /* fast path: parse straight from the static buffer */
            r = SSL_read(c->ssl, rb, sizeof rb);
            if (r > 0) {
                size_t u = A->input(c, rb, r);
                if (c->state == ST_CLOSED) return;
                if (u < (size_t)r) {
                    need(&c->in, r - u);
                    memcpy(c->in.p + c->in.len, rb + u, r - u);
                    c->in.len += r - u;
                }
            }
        } else {
            need(&c->in, 16384);
            r = SSL_read(c->ssl, c->in.p + c->in.len, 16384);
            if (r > 0) {
                c->in.len += r;
                size_t u = A->input(c, c->in.p + c->in.off, c->in.len - c->in.off);
                if (c->state == ST_CLOSED) return;
                c->in.off += u;
            }
        }
        if (r > 0) {
            if (c->out.off < c->out.len && !c->want_out) {
                flush_(c);
                if (c->state == ST_CLOSED) return;
            }
            if (!strcmp(mode, "handshake") && c->state == ST_READY) {
                SSL_shutdown(c->ssl);
                closec(c);
                return;
            }
            if (!SSL_has_pending(c->ssl)) break;
            continue;
        }
        int e = SSL_get_error(c->ssl, r);
        if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE) break;
        lost(c, "read");
        return;
    }
}
static unsigned srcn;
static void dial(conn *c) {
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) lg_fatal("socket: %s", strerror(errno));
    int one = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(c->fd, IPPROTO_IP, 24 /*IP_BIND_ADDRESS_NO_PORT*/, &one, sizeof one);
    struct sockaddr_in s = {.sin_family = AF_INET};
    s.sin_addr.s_addr = htonl(0x7f000002 + (srcn++ % 200));
    bind(c->fd, (void *)&s, sizeof s);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, host, &a.sin_addr);
    c->state = ST_CONNECTING;
    c->want_out = 1;
    c->pst = 0;
    ninflight++;
    if (c->stalled == 1) c->stalled = 0;
    int r = connect(c->fd, (void *)&a, sizeof a);
    if (r < 0 && errno != EINPROGRESS) lg_fatal("connect: %s", strerror(errno));
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
    epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &e);
}
static int poll_(double to) {
    struct epoll_event ev[512];
    struct timespec ts;
    if (to < 0) to = 0;
    ts.tv_sec = to;
    ts.tv_nsec = (to - (long)to) * 1e9;
    int n = epoll_pwait2(ep, ev, 512, &ts, NULL);
    for (int i = 0; i < n; i++) on_io(ev[i].data.ptr, ev[i].events);
    return n;
}
static double proc_cpu(double *u, double *s) {
    double tu = 0, ts = 0;
    long hz = sysconf(_SC_CLK_TCK);
    for (int i = 0; i < npids; i++) {
        char f[64], b[1024];
        sprintf(f, "/proc/%d/stat", pids[i]);
        FILE *h = fopen(f, "r");
        if (!h) continue;
        size_t n = fread(b, 1, sizeof b - 1, h);
        b[n] = 0;
        fclose(h);
        char *p = strrchr(b, ')');
        unsigned long ut, st;
        sscanf(p + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &ut, &st);
        tu += (double)ut / hz;
        ts += (double)st / hz;
    }
    *u = tu;
    *s = ts;
    return tu + ts;
}
static long proc_rss(void) {
    long t = 0;
    for (int i = 0; i < npids; i++) {
        char f[64], l[256];
        sprintf(f, "/proc/%d/status", pids[i]);
        FILE *h = fopen(f, "r");
        if (!h) continue;
        while (fgets(l, sizeof l, h)) {
            long k;
            if (sscanf(l, "VmRSS: %ld", &k) == 1) t += k;
        }
        fclose(h);
    }
    return t;
}
static double sys_busy(void) {
    FILE *h = fopen("/proc/stat", "r");
    unsigned long long u, n, s, i, w, q, so;
    if (fscanf(h, "cpu %llu %llu %llu %llu %llu %llu %llu", &u, &n, &s, &i, &w, &q, &so) != 7) u = n = s = q = so = 0;
    fclose(h);
    return (double)(u + n + s + q + so) / sysconf(_SC_CLK_TCK);
}
static double self_cpu(void) {
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return r.ru_utime.tv_sec + r.ru_stime.tv_sec + (r.ru_utime.tv_usec + r.ru_stime.tv_usec) * 1e-6;
}
static void emit(conn *s, uint64_t ts) {
    static const char H[] = "0123456789abcdef";
    pl[0] = 'S';
    for (int i = 0; i < 16; i++) pl[1 + i] = H[(ts >> (60 - 4 * i)) & 15];
    for (int i = 0; i < 4; i++) pl[17 + i] = H[(s->id >> (12 - 4 * i)) & 15];
    if (s->peer >= 0) A->send_direct(s, s->peer, pl, payload);
    else A->send_room(s, s->room, pl, payload);
    s->sent++;
    total_sent++;
}
int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_TIMERSLACK, 1000, 0, 0, 0);
    for (int i = 0; i < 10; i++) hx['0' + i] = i;
    for (int i = 0; i < 6; i++) hx['a' + i] = 10 + i;
    const char *an = "sc";
    int o, nidle = 1000;
    while ((o = getopt(argc, argv, "a:m:p:P:s:n:R:b:w:r:t:W:c:N:k:lH:")) != -1) switch (o) {
        case 'a':
            an = optarg;
            break;
        case 'm':
            mode = optarg;
            break;
        case 'p':
            port = atoi(optarg);
            break;
        case 'H':
            host = optarg;
            break;
        case 'P': {
            char *q = strdup(optarg), *t;
            for (t = strtok(q, ","); t; t = strtok(NULL, ",")) pids[npids++] = atoi(t);
        } break;
        case 's':
            nsend = atoi(optarg);
            break;
        case 'n':
            nmemb = atoi(optarg);
            break;
        case 'R':
            nrooms = atoi(optarg);
            break;
        case 'b':
            payload = atoi(optarg);
            break;
        case 'w':
            window = atoi(optarg);
            break;
        case 'r':
            rate = atof(optarg);
            break;
        case 't':
            T = atof(optarg);
            break;
        case 'W':
            warm = atof(optarg);
            break;
        case 'c':
            conc = atoi(optarg);
            break;
        case 'N':
            nidle = atoi(optarg);
            break;
        case 'k':
            nstall = atoi(optarg);
            break;
        case 'l':
            hs_login = 1;
            break;
        default:
            return 2;
        }
    for (int i = 0; adapters[i]; i++)
        if (!strcmp(adapters[i]->name, an)) A = adapters[i];
    if (!A || !port) lg_fatal("need -a adapter -p port");
    if (A->max_payload && payload > A->max_payload) {
        payload = A->max_payload;
    }
    struct rlimit rl;
    getrlimit(RLIMIT_NOFILE, &rl);
    rl.rlim_cur = rl.rlim_max;
    setrlimit(RLIMIT_NOFILE, &rl);
    ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
    SSL_CTX_set_mode(ctx,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(ctx, strcmp(mode, "idle") ? 1 : 0);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    ep = epoll_create1(0);
    pl = malloc(payload + 1);
    memset(pl, 'x', payload + 1);
    int pairs = !strcmp(mode, "pairs"), fan = !strcmp(mode, "fanout"), idle = !strcmp(mode, "idle"),
        hs = !strcmp(mode, "handshake");
    if (pairs) nall = 2 * nsend;
    else if (fan) nall = nsend + nmemb * nrooms;
    else if (idle) nall = nidle;
    else if (!strcmp(mode, "catchup")) nall = nsend;
    else nall = conc;
    C = calloc(nall, sizeof *C);
    for (int i = 0; i < nall; i++) {
        conn *c = C[i] = calloc(1, sizeof *c);
        c->id = i;
        c->peer = -1;
        c->room = -1;
        if (!strcmp(mode, "catchup")) c->role = ROLE_MEMBER;
        if (pairs) {
            if (i < nsend) {
                c->role = ROLE_SENDER;
                c->peer = nsend + i;
            } else c->role = ROLE_PAIR_RX;
        } else if (fan) {
            if (i < nsend) {
                c->role = ROLE_SENDER;
                c->room = i % nrooms;
            } else {
                c->role = ROLE_MEMBER;
                c->room = (i - nsend) % nrooms;
            }
        }
    }
    double u0, s0, u1, s1;
    long rss0 = proc_rss();
    if (hs) {
        double t0 = 0;
        uint64_t h0 = 0;
        double c0 = 0, g0 = 0, b0 = 0;
        double st = now();
        uint64_t dialled = 0;
        for (int i = 0; i < nall; i++) C[i]->state = ST_CLOSED;
        for (;;) {
            poll_(rate > 0 ? 0.0005 : 0.05);
            double n = now();
            for (int i = 0; i < nall; i++)
                if (C[i]->state == ST_CLOSED && (rate <= 0 || dialled < (n - st) * rate)) dial(C[i]), dialled++;
            if (!t0 && n - st > warm) {
                t0 = n;
                h0 = hs_done;
                c0 = proc_cpu(&u0, &s0);
                g0 = self_cpu();
                b0 = sys_busy();
            }
            if (t0 && n - t0 > T) break;
        }
        double dt = now() - t0;
        double d = hs_done - h0;
        double c = proc_cpu(&u1, &s1) - c0;
        if (d < 1) lg_fatal("no handshake was finished");
        printf("{\"handshakes_per_s\": %.0f, \"server_us\": %.1f, \"server_util\": %.2f, \"generator_util\": %.2f, "
               "\"errors\": %lu, \"other_util\": %.2f}\n",
               d / dt, c / d * 1e6, c / dt, (self_cpu() - g0) / dt, total_closed,
               (sys_busy() - b0 - c - (self_cpu() - g0)) / dt);
        return 0;
    }
    /* connect everybody */
    double st = now();
    double cst = proc_cpu(&u0, &s0);
    int nx = 0;
    double lastp = st;
    int lastr = 0;
    while (nready < nall - (int)total_closed) {
        while (nx < nall && ninflight < conc) dial(C[nx++]);
        poll_(0.1);
        if (nready != lastr) {
            lastr = nready;
            lastp = now();
        }
        if (now() - lastp > 15) {
            fprintf(stderr, "lg: stuck: ready %d of %d (inflight %d, st0 %d)\n", nready, nall, ninflight, C[0]->state);
            break;
        }
    }
    double ct = now() - st;
    double ccpu = proc_cpu(&u1, &s1) - cst;
    if (idle) {
        if (nready < nall) lg_fatal("only %d of %d connections came about", nready, nall);
        double e = now() + 1.0;
        while (now() < e) poll_(0.05);
        long rss1 = proc_rss();
        proc_cpu(&u0, &s0);
        double e2 = now();
        e = e2 + T;
        while (now() < e) poll_(0.05);
        proc_cpu(&u1, &s1);
        printf(
            "{\"connections\": %d, \"kb_per_connection\": %.1f, \"connects_per_s\": %.0f, \"server_us_per_connect\": "
            "%.0f, \"idle_cpu\": %.4f, \"closed\": %lu}\n",
            nready, (double)(rss1 - rss0) / nready, nready / ct, ccpu / nready * 1e6,
            (u1 + s1 - u0 - s0) / (now() - e2), total_closed);
        return 0;
    }
    if (!strcmp(mode, "catchup")) {
        if (nready < nall || !total_del) lg_fatal("nothing came");
        printf("{\"entries\": %lu, \"entries_per_s\": %.0f, \"server_us\": %.2f, \"closed\": %lu}\n", total_del,
               total_del / ct, ccpu / total_del * 1e6, total_closed);
        return 0;
    }
    if (nready < nall) lg_fatal("not all ready");
    for (int i = 0; i < nstall; i++) {
        conn *c = C[nsend + i];
        c->stalled = 2;
        c->want_out = -1;
        mod(c, 0);
    }
    int per = pairs ? 1 : nmemb - nstall;
    double end = 0, t0 = now(), tm = 0;
    uint64_t d0 = 0, m0 = 0;
    double c0 = 0, g0 = 0, b0 = 0;
    uint64_t k = 0;
    int rr = 0;
    int stalls = 0;
    double ld = now();
    uint64_t ldel = 0;
    for (;;) {
        double n = now();
        if (!measuring && n - t0 > warm) {
            measuring = 1;
            tm = n;
            end = n + T;
            d0 = total_del;
            m0 = total_sent;
            c0 = proc_cpu(&u0, &s0);
            g0 = self_cpu();
            b0 = sys_busy();
        }
        if (measuring && n >= end) break;
        double to = 0.02;
        if (rate > 0) {
            uint64_t due = (n - t0) * rate;
            int lim = 0;
            while (k < due && lim++ < 2000) {
                conn *s = C[rr++ % nsend];
                uint64_t ts = (t0 + (k + 1) / rate) * 1e9;
                k++;
                if (s->state != ST_READY) continue;
                emit(s, ts);
                if (!s->want_out) flush_(s);
            }
            to = t0 + (k + 1) / rate - now();
            if (to > 0.02) to = 0.02;
        } else {
            for (int i = 0; i < nsend; i++) {
                conn *s = C[i];
                int b = 0;
                while (s->state == ST_READY && !s->want_out &&
                       (s->sent * per < s->dsum + (uint64_t)(window - 1) * per + 1) && b++ < window) {
                    emit(s, nowns());
                    flush_(s);
                }
            }
            if (total_del != ldel) {
                ldel = total_del;
                ld = n;
            } else if (n - ld > 1.0) {
                stalls++;
                ld = n;
                for (int i = 0; i < nsend; i++) C[i]->dsum = C[i]->sent * per;
            }
        }
        poll_(to);
    }
    double dt = now() - tm;
    double d = total_del - d0, m = total_sent - m0;
    if (d < 1) lg_fatal("nothing was delivered");
    double cc = proc_cpu(&u1, &s1) - c0;
    double g = self_cpu() - g0;
    double ob = (sys_busy() - b0 - cc - g) / dt;
    printf(
        "{\"deliveries_per_s\": %.0f, \"messages_per_s\": %.0f, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f, "
        "\"server_us\": %.3f, \"server_user_us\": %.3f, \"server_util\": %.2f, \"generator_util\": %.2f, "
        "\"complete\": %.4f, \"stalls\": %d, \"closed\": %lu, \"bad\": %lu, \"other_util\": %.2f}\n",
        d / dt, m / dt, pct(.5) / 1e3, pct(.99) / 1e3, pct(.99999) / 1e3, cc / d * 1e6, (u1 - u0) / d * 1e6, cc / dt,
        g / dt, d / (m * per), stalls, total_closed, dup_bad, ob);
    return 0;
}
