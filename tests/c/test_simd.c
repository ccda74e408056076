/* The vector type of one instruction set (NEON, or else AVX2) against the meaning of its operations
 * in plain C, special values included. */
#include "test.h"

#include <float.h>
#include <math.h>
#include <stdint.h>

#if defined(__aarch64__)
#include "../../csrc/kernels/simd/neon.h"
#define SET SCP_ISA_NEON
#elif defined(__x86_64__)
#include "../../csrc/kernels/simd/avx2.h"
#define SET SCP_ISA_AVX2
#else
#include "../../csrc/kernels/simd/portable.h"
#define SET SCP_ISA_PORTABLE
#endif

#include "scp/cpu.h"

enum operation { ADD, SUB, MUL, MAX, MIN, OPERATIONS };

SCP_SIMD_BEGIN
static void apply(float *out, const float *x, const float *y, enum operation operation) {
    const f32x16 a = f32x16_load(x), b = f32x16_load(y);
    f32x16_store(out, operation == ADD   ? f32x16_add(a, b)
                      : operation == SUB ? f32x16_sub(a, b)
                      : operation == MUL ? f32x16_mul(a, b)
                      : operation == MAX ? f32x16_max(a, b)
                                         : f32x16_min(a, b));
}

static void sums(float out[5], const float *x, const float *y) {
    const f32x16 a = f32x16_load(x), b = f32x16_load(y);
    f32x16_sum4(out, a, b, f32x16_set(3), f32x16_add(a, b));
    out[4] = f32x16_sum(a);
}
SCP_SIMD_END

static float meaning(float a, float b, enum operation operation) {
    switch (operation) {
    case ADD:
        return a + b;
    case SUB:
        return a - b;
    case MUL:
        return a * b;
    case MAX:
        return a > b ? a : b;
    default:
        return a < b ? a : b;
    }
}

static const float special[] = {0.f,        -0.f,     1.f,     -1.f,     1e-40f,    -1e-40f,
                                FLT_MAX,    -FLT_MAX, FLT_MIN, INFINITY, -INFINITY, NAN,
                                1.0000001f, 3.f,      -2.5f,   1e30f};

static void operations_match_their_meaning(void) {
    for (size_t shift = 0; shift < 16; shift++) {
        float x[16], y[16], out[16];
        for (size_t i = 0; i < 16; i++) x[i] = special[i], y[i] = special[(i + shift) % 16];
        for (int operation = 0; operation < (int)OPERATIONS; operation++) {
            apply(out, x, y, (enum operation)operation);
            for (size_t i = 0; i < 16; i++) {
                const float expected = meaning(x[i], y[i], (enum operation)operation);
                CHECK(isnan(expected) ? isnan(out[i]) : memcmp(&out[i], &expected, 4) == 0);
            }
        }
    }
}

static float folded(const float *x) {
    volatile float part[16];
    for (size_t i = 0; i < 16; i++) part[i] = x[i];
    for (size_t half = 8; half > 0; half /= 2)
        for (size_t j = 0; j < half; j++) part[j] = part[j] + part[j + half];
    return part[0];
}

static void sums_fold_in_the_stated_order(void) {
    float x[16], y[16], both[16], out[5];
    for (size_t i = 0; i < 16; i++) {
        x[i] = ldexpf(1.f + (float)i / 7.f, (int)(i * 11 % 16) * 2);
        y[i] = -ldexpf(1.f + (float)i / 3.f, (int)(i * 5 % 16) * 2);
        both[i] = x[i] + y[i];
    }
    sums(out, x, y);
    CHECK(out[0] == folded(x) && out[1] == folded(y) && out[2] == 48 && out[3] == folded(both));
    CHECK(out[4] == folded(x));
}

int main(void) {
    if (scp_isa_available(SET)) {
        RUN(operations_match_their_meaning);
        RUN(sums_fold_in_the_stated_order);
    } else {
        printf("(this CPU lacks %s) ", scp_isa_name(SET));
    }
    return test_end();
}
