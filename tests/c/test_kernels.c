/* Kernels: every instruction set gives the bits of the order of summation that kernels.h states. */
#include "order.h"
#include "test.h"

#include <math.h>
#include <stdint.h>

#include "../../csrc/kernels/kernels.h"
#include "scp/cpu.h"
#include "scp/random.h"

#define CHANNELS_MOST 80
#define CELLS_MOST 9

static void fill(float *out, size_t count, uint64_t stream) { /* wide range: order matters */
    struct scp_rng rng;
    scp_rng_init(&rng, 11, stream);
    for (size_t i = 0; i < count; i++) {
        const int exponent = (int)scp_rng_below(&rng, 40) - 20;
        out[i] = ldexpf((float)(scp_rng_uniform(&rng) - 0.5), exponent);
    }
}

static void dots(void) {
    /* One float off the alignment: kernels take any. */
    float queries[3 * (CHANNELS_MOST + 5) + 1], cells[CELLS_MOST * CHANNELS_MOST + 1];
    float out[3 * (CELLS_MOST + 2)];
    const struct scp_kernels *kernels = scp_kernels();
    for (size_t channels = 16; channels <= CHANNELS_MOST; channels += 16) {
        const float *query = queries + 1, *cell = cells + 1;
        fill(queries, sizeof queries / sizeof queries[0], channels);
        fill(cells, sizeof cells / sizeof cells[0], channels + 1);

        kernels->dots_quad(out, query, cell, cell + 5 * channels, channels);
        static const size_t at[4] = {0, 1, 5, 6};
        for (size_t i = 0; i < 4; i++)
            CHECK(same_bits(out[i], dot(query, cell + at[i] * channels, channels)));
        CHECK(same_bits(kernels->dot(query, cell, channels), dot(query, cell, channels)));

        for (size_t n = 0; n <= CELLS_MOST; n++) {
            const size_t stride = CELLS_MOST + 2, query_stride = channels + 5;
            for (size_t i = 0; i < 3 * stride; i++) out[i] = 77;
            kernels->dots_block(out, stride, query, query_stride, 3, cell, n, channels);
            for (size_t q = 0; q < 3; q++)
                for (size_t i = 0; i < stride; i++) {
                    const float *this_query = query + q * query_stride;
                    const float expected =
                        i < n ? dot(this_query, cell + i * channels, channels) : 77;
                    CHECK(same_bits(out[q * stride + i], expected));
                }
        }
    }
}

static void combine(void) {
    float row[50], before[50], norms[50], parents[25];
    for (size_t count = 0; count <= 49; count++) {
        for (int with_parents = 0; with_parents < 2; with_parents++) {
            fill(before, 50, count);
            fill(norms, 50, 100 + count);
            fill(parents, 25, 200 + count);
            for (size_t i = 0; i < 50; i++) norms[i] = i % 7 ? fabsf(norms[i]) : 0;
            for (size_t i = 0; i < 25; i++) parents[i] = fminf(fabsf(parents[i]), 1);
            memcpy(row, before, sizeof row);
            const float most = scp_kernels()->combine(row, with_parents ? parents : NULL, 0.75f,
                                                      norms, 1e-6f, count);
            float largest = 0;
            for (size_t i = 0; i < 50; i++) {
                float expected = before[i];
                if (i < count) {
                    expected = scp_similarity(before[i], 0.75f, norms[i], 1e-6f);
                    if (with_parents) expected = parents[i / 2] * expected;
                    largest = expected > largest ? expected : largest;
                }
                CHECK(same_bits(row[i], expected));
            }
            CHECK(same_bits(most, largest));
        }
    }
}

static void expand(void) {
    enum { NODES = 9, COUNT = 7 };
    int16_t query[CHANNELS_MOST], cells[4 * NODES * CHANNELS_MOST];
    static const uint32_t node[COUNT] = {3, 0, 8, 5, 1, 2, 7};
    float bound[COUNT], out_bound[4 * COUNT + 4];
    uint32_t out_node[4 * COUNT + 4];
    struct scp_rng rng;
    scp_rng_init(&rng, 12, 0);
    for (size_t channels = 16; channels <= CHANNELS_MOST; channels += 16) {
        for (size_t i = 0; i < channels; i++)
            query[i] = (int16_t)((int)scp_rng_below(&rng, 4001) - 2000);
        for (size_t i = 0; i < 4 * NODES * channels; i++)
            cells[i] = (int16_t)((int)scp_rng_below(&rng, 4001) - 2000);
        for (size_t i = 0; i < COUNT; i++) bound[i] = (float)scp_rng_uniform(&rng);
        const float scale = 1.f / 5e7f, slack = 0.25f;
        for (float least = 0; least < 0.9f; least += 0.2f) {
            const size_t kept = scp_kernels()->expand(out_bound, out_node, bound, node, COUNT,
                                                      query, cells, channels, scale, slack, least);
            size_t expected = 0;
            for (size_t i = 0; i < COUNT; i++)
                for (uint32_t j = 0; j < 4; j++) {
                    const int16_t *cell = cells + (4 * node[i] + j) * channels;
                    int32_t sum = 0;
                    for (size_t c = 0; c < channels; c++) sum += (int32_t)query[c] * cell[c];
                    const volatile float scaled = (float)sum * scale;
                    float c = scaled + slack;
                    c = c > 0 ? c : 0;
                    const float value = bound[i] * (c < 1 ? c : 1);
                    if (!(value >= least)) continue;
                    CHECK(expected < kept && same_bits(out_bound[expected], value) &&
                          out_node[expected] == 4 * node[i] + j);
                    expected++;
                }
            CHECK(kept == expected);
        }
    }
}

static void roots(void) {
    enum { COUNT = 48 };
    int16_t query[CHANNELS_MOST], cells[COUNT * CHANNELS_MOST];
    float bounds[COUNT];
    struct scp_rng rng;
    scp_rng_init(&rng, 13, 0);
    for (size_t channels = 16; channels <= CHANNELS_MOST; channels += 16) {
        for (size_t i = 0; i < channels; i++)
            query[i] = (int16_t)((int)scp_rng_below(&rng, 4001) - 2000);
        for (size_t i = 0; i < COUNT * channels; i++)
            cells[i] = (int16_t)((int)scp_rng_below(&rng, 4001) - 2000);
        const float scale = 1.f / 5e7f, slack = 0.25f;
        scp_kernels()->roots(bounds, query, cells, COUNT, channels, scale, slack);
        for (size_t i = 0; i < COUNT; i++) {
            int32_t sum = 0;
            for (size_t c = 0; c < channels; c++)
                sum += (int32_t)query[c] *
                       cells[i / 16 * 16 * channels + c / 2 * 32 + i % 16 * 2 + c % 2];
            const volatile float scaled = (float)sum * scale;
            float bound = scaled + slack;
            bound = bound > 0 ? bound : 0;
            CHECK(same_bits(bounds[i], bound < 1 ? bound : 1));
        }
    }
}

static void shortlist(void) {
    float values[100 + 16];
    for (size_t count = 1; count <= 100; count += 11) {
        fill(values, count, 300 + count);
        for (size_t i = 0; i < count; i++) values[i] = fabsf(values[i]);
        const float limit = scp_kernels()->shortlist(values, count, 10, 0.5f);
        float largest = 0;
        size_t reach = 0;
        for (size_t i = 0; i < count; i++) {
            largest = values[i] > largest ? values[i] : largest;
            reach += values[i] >= limit;
        }
        CHECK(reach >= 1 && reach <= 10 && limit >= 0.5f * largest);
        for (size_t i = 0; i < 16; i++) CHECK(values[count + i] == 0);
        /* no lower limit of the bisection would do: a 64th of the range below, more reach it */
        const float lower = limit - largest / 64;
        size_t more = 0;
        for (size_t i = 0; i < count; i++) more += values[i] >= lower;
        CHECK(more > 10 || lower < 0.5f * largest);
    }
    memset(values, 0, sizeof values);
    CHECK(scp_kernels()->shortlist(values, 50, 10, 0.5f) == 0); /* all tie */
}

static void every_set_gives_the_stated_bits(void) {
    size_t sets = 0;
    for (int i = 0; i < (int)SCP_ISA_COUNT; i++) {
        if (scp_isa_set(scp_isa_name((enum scp_isa)i)) != SCP_OK) continue;
        CHECK(strcmp(scp_kernels()->name, scp_isa_name((enum scp_isa)i)) == 0);
        dots();
        combine();
        expand();
        roots();
        shortlist();
        sets++;
    }
    CHECK(sets >= 1);
    scp_isa_set(NULL);
}

int main(void) {
    RUN(every_set_gives_the_stated_bits);
    return test_end();
}
