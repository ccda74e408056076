#define _GNU_SOURCE
#include "quota.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#ifdef __linux__
#include <sched.h>
#endif

static size_t affinity(void) {
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return (size_t)CPU_COUNT(&set);
#endif
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (size_t)online : 1;
}

#ifdef __linux__
static size_t ceil_ratio(long long quota, long long period) {
    if (quota <= 0 || period <= 0) return 0;
    return (size_t)((quota + period - 1) / period);
}

static size_t smaller(size_t a, size_t b) { /* 0 means no limit */
    return a == 0 ? b : b == 0 || a < b ? a : b;
}

/* cgroup v2: every ancestor of our group may set cpu.max, "quota period" or "max period". */
static size_t limit_v2(const char *group) {
    char path[4096], file[4200];
    size_t limit = 0;
    if (snprintf(path, sizeof path, "/sys/fs/cgroup%s", group) >= (int)sizeof path) return 0;
    for (;;) {
        long long quota, period;
        snprintf(file, sizeof file, "%s/cpu.max", path);
        FILE *stream = fopen(file, "r");
        if (stream) {
            if (fscanf(stream, "%lld %lld", &quota, &period) == 2)
                limit = smaller(limit, ceil_ratio(quota, period));
            fclose(stream);
        }
        char *slash = strrchr(path, '/');
        if (!slash || strcmp(path, "/sys/fs/cgroup") == 0) return limit;
        *slash = 0;
    }
}

static long long read_number(const char *file) {
    long long value = -1;
    FILE *stream = fopen(file, "r");
    if (stream) {
        if (fscanf(stream, "%lld", &value) != 1) value = -1;
        fclose(stream);
    }
    return value;
}

static size_t cgroup_limit(void) {
    size_t limit = 0;
    char line[4096];
    FILE *stream = fopen("/proc/self/cgroup", "r");
    if (stream) {
        while (fgets(line, sizeof line, stream)) {
            line[strcspn(line, "\n")] = 0;
            if (strncmp(line, "0::", 3) == 0) limit = smaller(limit, limit_v2(line + 3));
        }
        fclose(stream);
    }
    return smaller(limit, ceil_ratio(read_number("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"),
                                     read_number("/sys/fs/cgroup/cpu/cpu.cfs_period_us")));
}
#else
static size_t cgroup_limit(void) {
    return 0;
}
#endif

size_t scp_cpu_quota(void) {
    size_t count = affinity();
    const size_t limit = cgroup_limit();
    if (limit && limit < count) count = limit;
    return count ? count : 1;
}
