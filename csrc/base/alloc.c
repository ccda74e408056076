/* Counted, aligned allocation: every block carries its size in front. */
#define _POSIX_C_SOURCE 200112L
#include "scp/alloc.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* The block in front of each allocation: keeps the size, and the alignment of what follows. */
struct header {
    size_t bytes;
    char padding[SCP_ALIGNMENT - sizeof(size_t)];
};

static atomic_size_t outstanding;
static atomic_size_t peak;
static atomic_uint_least64_t countdown; /* 0: off */

int scp_size_mul(size_t a, size_t b, size_t *out) {
    if (b != 0 && a > SIZE_MAX / b) return 1;
    *out = a * b;
    return 0;
}

static int must_fail(void) {
    uint_least64_t left = atomic_load_explicit(&countdown, memory_order_relaxed);
    while (left != 0) {
        if (atomic_compare_exchange_weak(&countdown, &left, left - 1)) return left == 1;
    }
    return 0;
}

void *scp_alloc(size_t count, size_t size) {
    size_t bytes;
    if (scp_size_mul(count, size, &bytes) || bytes > SIZE_MAX / 2) return NULL;
    if (must_fail()) return NULL;
    /* Not aligned_alloc: that wants a rounded size, behind which sanitizers miss short overruns. */
    void *memory;
    if (posix_memalign(&memory, SCP_ALIGNMENT, sizeof(struct header) + bytes) != 0) return NULL;
    struct header *block = memory;
    block->bytes = bytes;
    size_t now = atomic_fetch_add(&outstanding, bytes) + bytes;
    size_t high = atomic_load(&peak);
    while (now > high && !atomic_compare_exchange_weak(&peak, &high, now)) {
    }
    return block + 1;
}

void *scp_calloc(size_t count, size_t size) {
    void *pointer = scp_alloc(count, size);
    if (pointer) memset(pointer, 0, count * size);
    return pointer;
}

void scp_free(void *pointer) {
    if (!pointer) return;
    struct header *block = (struct header *)pointer - 1;
    atomic_fetch_sub(&outstanding, block->bytes);
    free(block);
}

size_t scp_alloc_outstanding(void) {
    return atomic_load(&outstanding);
}

size_t scp_alloc_peak(void) {
    return atomic_load(&peak);
}

void scp_alloc_reset_peak(void) {
    atomic_store(&peak, atomic_load(&outstanding));
}

void scp_alloc_fail_at(uint64_t n) {
    atomic_store(&countdown, n);
}
