/* The order of summation that kernels.h states, for the tests of every family that keeps to it. */
#ifndef SCP_TEST_ORDER_H
#define SCP_TEST_ORDER_H

#include <stddef.h>
#include <string.h>

/* The stated order, one number at a time; volatile keeps the compiler from reordering. */
static inline float dot(const float *a, const float *b, size_t channels) {
    volatile float part[16] = {0};
    for (size_t c = 0; c < channels; c++) {
        const volatile float product = a[c] * b[c];
        part[c % 16] = part[c % 16] + product;
    }
    for (size_t half = 8; half > 0; half /= 2)
        for (size_t j = 0; j < half; j++) part[j] = part[j] + part[j + half];
    return part[0];
}

static inline int same_bits(float a, float b) {
    return memcmp(&a, &b, sizeof a) == 0;
}

#endif
