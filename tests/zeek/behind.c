/* Preloaded into one Zeek, it makes that process see a clock that is off by NBA_TEST_CLOCK seconds. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static long off(void) {
    const char* text = getenv("NBA_TEST_CLOCK");
    return text ? atol(text) : 0;
}

int clock_gettime(clockid_t id, struct timespec* at) {
    static int (*real)(clockid_t, struct timespec*);
    if ( ! real )
        real = dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(id, at);
    if ( ! failed && id == CLOCK_REALTIME )
        at->tv_sec += off();
    return failed;
}

int gettimeofday(struct timeval* at, void* zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t* at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if ( at )
        *at = now.tv_sec;
    return now.tv_sec;
}
