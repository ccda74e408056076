/* The CPUs this process may use: its affinity mask, cut by the CPU quota of its control group
 * (cgroup version 1 or 2). A container sees all CPUs of its machine but gets the quota's share:
 * more threads than that only wait for each other. */
#define _GNU_SOURCE
#include "quota.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#ifdef __linux__
#include <sched.h>
#endif

#define PATH_BYTES 4096

static size_t affinity(void) {
#ifdef __linux__
    static const size_t sets = 16; /* 16 * 1024 CPUs */
    cpu_set_t set[16];
    if (sched_getaffinity(0, sets * sizeof set[0], set) == 0)
        return (size_t)CPU_COUNT_S(sets * sizeof set[0], set);
#endif
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (size_t)online : 1;
}

static size_t ceil_ratio(long long quota, long long period) {
    if (quota <= 0 || period <= 0) return 0;
    return (size_t)(quota / period + (quota % period != 0));
}

static size_t smaller(size_t a, size_t b) { /* 0 means no limit */
    return a == 0 ? b : b == 0 || a < b ? a : b;
}

/* How many of *a, *b the file folder/name begins with. */
static int read_numbers(const char *folder, const char *name, long long *a, long long *b) {
    char file[PATH_BYTES + 32];
    const int length = snprintf(file, sizeof file, "%s/%s", folder, name);
    if (length < 0 || (size_t)length >= sizeof file) return 0;
    FILE *stream = fopen(file, "r");
    if (!stream) return 0;
    const int found = fscanf(stream, "%lld %lld", a, b);
    fclose(stream);
    return found > 0 ? found : 0;
}

/* Version 2: cpu.max holds "quota period" or "max period". */
static size_t limit_v2(const char *folder) {
    long long quota, period;
    return read_numbers(folder, "cpu.max", &quota, &period) == 2 ? ceil_ratio(quota, period) : 0;
}

/* Version 1: one number a file; quota -1 is none. */
static size_t limit_v1(const char *folder) {
    long long quota, period, unused;
    if (read_numbers(folder, "cpu.cfs_quota_us", &quota, &unused) < 1) return 0;
    if (read_numbers(folder, "cpu.cfs_period_us", &period, &unused) < 1) return 0;
    return ceil_ratio(quota, period);
}

/* Every ancestor of a group may set a limit; the smallest holds. In a container the group's own
 * path may not exist below the mount: then what exists on the way up to it counts. */
static size_t limit_of_ancestors(const char *mount, const char *group,
                                 size_t (*limit_of)(const char *)) {
    char path[PATH_BYTES];
    size_t limit = 0;
    const size_t base = strlen(mount);
    const int length = snprintf(path, sizeof path, "%s%s", mount, group);
    if (length < 0 || (size_t)length >= sizeof path) return 0;
    for (;;) {
        limit = smaller(limit, limit_of(path));
        char *slash = strrchr(path, '/');
        if (!slash || strlen(path) <= base) return limit;
        *slash = 0;
    }
}

/* Is "cpu" one of the names in the comma-separated list? */
static int lists_cpu(const char *list, size_t length) {
    for (size_t i = 0; i < length;) {
        const size_t name = strcspn(list + i, ",:");
        if (name == 3 && strncmp(list + i, "cpu", 3) == 0) return 1;
        i += name + 1;
    }
    return 0;
}

size_t scp_cgroup_quota(const char *mount, const char *table) {
    size_t limit = 0;
    char line[PATH_BYTES], hierarchy[PATH_BYTES];
    FILE *stream = fopen(table, "r");
    if (!stream) return 0;
    while (fgets(line, sizeof line, stream)) { /* number:controllers:/group */
        line[strcspn(line, "\n")] = 0;
        const char *controllers = strchr(line, ':');
        const char *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group) continue;
        controllers++;
        const size_t length = (size_t)(group - controllers);
        group++;
        if (length == 0) {
            limit = smaller(limit, limit_of_ancestors(mount, group, limit_v2));
        } else if (lists_cpu(controllers, length)) {
            const int bytes = snprintf(hierarchy, sizeof hierarchy, "%s/cpu", mount);
            if (bytes > 0 && (size_t)bytes < sizeof hierarchy)
                limit = smaller(limit, limit_of_ancestors(hierarchy, group, limit_v1));
        }
    }
    fclose(stream);
    return limit;
}

size_t scp_cpu_quota(void) {
    size_t count = affinity();
#ifdef __linux__
    const size_t limit = scp_cgroup_quota("/sys/fs/cgroup", "/proc/self/cgroup");
    if (limit && limit < count) count = limit;
#endif
    return count ? count : 1;
}
