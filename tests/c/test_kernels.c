/* Kernels: every instruction set gives the bits of the order of summation that kernels.h states. */
#include "test.h"

#include <math.h>
#include <stdint.h>

#include "../../csrc/kernels/kernels.h"
#include "scp/cpu.h"
#include "scp/random.h"

#define CHANNELS_MOST 80
#define CELLS_MOST 9

/* The stated order, one number at a time; volatile keeps the compiler from reordering. */
static float dot(const float *a, const float *b, size_t channels) {
    volatile float part[16] = {0};
    for (size_t c = 0; c < channels; c++) {
        const volatile float product = a[c] * b[c];
        part[c % 16] = part[c % 16] + product;
    }
    for (size_t half = 8; half > 0; half /= 2)
        for (size_t j = 0; j < half; j++) part[j] = part[j] + part[j + half];
    return part[0];
}

static int same_bits(float a, float b) {
    return memcmp(&a, &b, sizeof a) == 0;
}

static void fill(float *out, size_t count, uint64_t stream) { /* wide range: order matters */
    struct scp_rng rng;
    scp_rng_init(&rng, 11, stream);
    for (size_t i = 0; i < count; i++) {
        const int exponent = (int)scp_rng_below(&rng, 40) - 20;
        out[i] = ldexpf((float)(scp_rng_uniform(&rng) - 0.5), exponent);
    }
}

static void dots_of_this_set(void) {
    /* One float off the alignment: kernels take any. */
    float queries[3 * CHANNELS_MOST + 1], cells[CELLS_MOST * CHANNELS_MOST + 1];
    float out[3 * (CELLS_MOST + 2)];
    const struct scp_kernels *kernels = scp_kernels();
    CHECK(strcmp(kernels->name, scp_isa_name(scp_isa())) == 0);
    for (size_t channels = 16; channels <= CHANNELS_MOST; channels += 16) {
        const float *query = queries + 1, *cell = cells + 1;
        fill(queries, 3 * CHANNELS_MOST + 1, channels);
        fill(cells, CELLS_MOST * CHANNELS_MOST + 1, channels + 1);

        kernels->dots_quad(out, query, cell, cell + 5 * channels, channels);
        static const size_t at[4] = {0, 1, 5, 6};
        for (size_t i = 0; i < 4; i++)
            CHECK(same_bits(out[i], dot(query, cell + at[i] * channels, channels)));

        for (size_t n = 0; n <= CELLS_MOST; n++) {
            const size_t stride = CELLS_MOST + 2;
            for (size_t i = 0; i < 3 * stride; i++) out[i] = 77;
            kernels->dots_block(out, stride, query, channels, 3, cell, n, channels);
            for (size_t q = 0; q < 3; q++)
                for (size_t i = 0; i < stride; i++) {
                    const float expected =
                        i < n ? dot(query + q * channels, cell + i * channels, channels) : 77;
                    CHECK(same_bits(out[q * stride + i], expected));
                }
        }
    }
}

static void dots_are_the_same_bits_on_every_set(void) {
    size_t sets = 0;
    for (int i = 0; i < (int)SCP_ISA_COUNT; i++) {
        if (scp_isa_set(scp_isa_name((enum scp_isa)i)) != SCP_OK) continue;
        dots_of_this_set();
        sets++;
    }
    CHECK(sets >= 1);
    scp_isa_set(NULL);
}

int main(void) {
    RUN(dots_are_the_same_bits_on_every_set);
    return test_end();
}
