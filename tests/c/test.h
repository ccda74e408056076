/* The whole test framework of the C tests: one program per file, no Python.
 *
 *     static void sums(void) { CHECK(1 + 1 == 2); }
 *     int main(void) { RUN(sums); return test_end(); }
 *
 * CHECK goes on after a failure. Conditions are written so that NaN fails: difference <= limit.
 * test_end ends the thread team and fails the program when memory of the core is still held. */
#ifndef SCP_TEST_H
#define SCP_TEST_H

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "scp/alloc.h"
#include "scp/threads.h"

static atomic_size_t test_checks, test_failures;
static size_t test_count;

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        atomic_fetch_add(&test_checks, 1);                                                         \
        if (!(condition)) {                                                                        \
            atomic_fetch_add(&test_failures, 1);                                                   \
            fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition);                \
        }                                                                                          \
    } while (0)

#define RUN(test)                                                                                  \
    do {                                                                                           \
        const size_t failures_before = atomic_load(&test_failures);                                \
        test();                                                                                    \
        test_count++;                                                                              \
        if (atomic_load(&test_failures) != failures_before) fprintf(stderr, "in %s\n", #test);     \
    } while (0)

static inline int test_end(void) {
    scp_threads_shutdown();
    CHECK(scp_alloc_outstanding() == 0);
    printf("%zu tests, %zu checks, %zu failed\n", test_count, atomic_load(&test_checks),
           atomic_load(&test_failures));
    return atomic_load(&test_failures) != 0;
}

#endif
