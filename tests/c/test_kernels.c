/* Kernels: every instruction set gives the bits of the order of summation that their headers state.
 */
#include "order.h"
#include "test.h"

#include <math.h>
#include <stdint.h>

#include "../../csrc/kernels/kernels.h"
#include "scp/cpu.h"
#include "scp/random.h"

#define MAX_CHANNELS 80
#define MAX_CELLS 9

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
    float queries[3 * (MAX_CHANNELS + 5) + 1], cells[MAX_CELLS * MAX_CHANNELS + 1];
    float out[3 * (MAX_CELLS + 2)];
    const struct scp_kernels *kernels = scp_kernels();
    for (size_t channels = 16; channels <= MAX_CHANNELS; channels += 16) {
        const float *query = queries + 1, *cell = cells + 1;
        fill(queries, sizeof queries / sizeof queries[0], channels);
        fill(cells, sizeof cells / sizeof cells[0], channels + 1);

        kernels->dots.quad(out, query, cell, cell + 5 * channels, channels);
        static const size_t at[4] = {0, 1, 5, 6};
        for (size_t i = 0; i < 4; i++)
            CHECK(same_bits(out[i], dot(query, cell + at[i] * channels, channels)));
        CHECK(same_bits(kernels->dots.one(query, cell, channels), dot(query, cell, channels)));
        static const uint32_t cells_at[7] = {4, 0, 8, 2, 2, 5, 1};
        for (size_t n = 0; n <= 7; n++) {
            out[n] = 77;
            /* any floats do for queries: the vectors again */
            kernels->dots.at(out, cell, cell, cells_at, n, channels);
            for (size_t i = 0; i < n; i++)
                CHECK(same_bits(out[i],
                                dot(cell + i * channels, cell + cells_at[i] * channels, channels)));
            CHECK(out[n] == 77);
        }

        for (size_t n = 0; n <= MAX_CELLS; n++) {
            const size_t stride = MAX_CELLS + 2, query_stride = channels + 5;
            for (size_t i = 0; i < 3 * stride; i++) out[i] = 77;
            kernels->dots.block(out, stride, query, query_stride, 3, cell, n, channels);
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
            const float max = scp_kernels()->dots.combine(row, with_parents ? parents : NULL, 0.75f,
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
            CHECK(same_bits(max, largest));
        }
    }
}

static const struct scp_tree_kernels *tree; /* under test */

/* Bytes for `count` cells that lie in groups, and for a query with its sum. */
static void integers(uint8_t *cells, size_t count, int8_t *vector, struct scp_tree_query *query,
                     size_t channels, struct scp_rng *rng) {
    for (size_t i = 0; i < count * channels; i++) cells[i] = (uint8_t)(1 + scp_rng_below(rng, 255));
    *query = (struct scp_tree_query){vector, 0, 1.f / 3e5f, 0.25f};
    for (size_t i = 0; i < channels; i++) {
        vector[i] = (int8_t)((int)scp_rng_below(rng, 255) - 127);
        query->sum += vector[i];
    }
}

/* The factor that a query gives a cell: number `at` of a group of `group` cells. */
static float factor(const struct scp_tree_query *query, const uint8_t *cells, size_t group,
                    size_t at, size_t channels) {
    int32_t sum = 0;
    for (size_t c = 0; c < channels; c++)
        sum += query->vector[c] * (cells[c / 4 * 4 * group + 4 * at + c % 4] - 128);
    const volatile float scaled = (float)sum * query->scale;
    float c = scaled + query->slack;
    c = c > 0 ? c : 0;
    return c < 1 ? c : 1;
}

static float largest_of(const float *values, size_t count) {
    float max = 0;
    for (size_t i = 0; i < count; i++) max = values[i] > max ? values[i] : max;
    return max;
}

static void expand(void) {
    enum { NODES = 9, COUNT = 7 };
    uint8_t cells[4 * NODES * MAX_CHANNELS];
    int8_t vector[MAX_CHANNELS];
    static const uint32_t node[COUNT + 1] = {3, 0, 8, 5, 1, 2, 7, 0};
    float bound[COUNT + 1], out_bound[4 * COUNT + 16], all[4 * COUNT + 4];
    uint32_t out_node[4 * COUNT + 16], numbers[4 * COUNT + 4];
    struct scp_tree_query query;
    struct scp_rng rng;
    scp_rng_init(&rng, 12, 0);
    for (size_t channels = 16; channels <= MAX_CHANNELS; channels += 16) {
        integers(cells, 4 * NODES, vector, &query, channels, &rng);
        for (size_t i = 0; i < COUNT; i++) bound[i] = (float)scp_rng_uniform(&rng);
        bound[COUNT] = 0;
        const float max = tree->spread(all, numbers, bound, node, COUNT, &query, cells, channels);
        CHECK(same_bits(max, largest_of(all, 4 * COUNT)));
        for (size_t i = 0; i < 4; i++) CHECK(all[4 * COUNT + i] == 0);
        for (float min = SCP_TINY; min < 0.9f; min += 0.2f) {
            const size_t kept =
                tree->expand(out_bound, out_node, bound, node, COUNT, &query, cells, channels, min);
            size_t expected = 0;
            for (size_t i = 0; i < COUNT; i++)
                for (uint32_t j = 0; j < 4; j++) {
                    const float value =
                        bound[i] * factor(&query, cells + 4 * node[i] * channels, 4, j, channels);
                    CHECK(same_bits(all[4 * i + j], value) &&
                          numbers[4 * i + j] == 4 * node[i] + j);
                    if (!(value >= min)) continue;
                    CHECK(expected < kept && same_bits(out_bound[expected], value) &&
                          out_node[expected] == 4 * node[i] + j);
                    expected++;
                }
            CHECK(kept == expected);
        }
    }
}

static void extremes(void) { /* the largest sums: nothing saturates */
    enum { CHANNELS = 4096 };
    static uint8_t cells[16 * CHANNELS];
    static int8_t vector[CHANNELS];
    float bounds[16], children[32];
    uint32_t numbers[32];
    static const float bound[4] = {1, 0, 0, 0};
    static const uint32_t node[4] = {1, 0, 0, 0};
    for (int sign = -1; sign <= 1; sign += 2) {
        struct scp_tree_query query = {vector, sign * 127 * CHANNELS,
                                       1.f / (127.f * 127 * CHANNELS), 0};
        memset(vector, sign * 127, sizeof vector);
        memset(cells, 255, sizeof cells);
        tree->roots(bounds, &query, cells, 16, CHANNELS);
        const size_t kept =
            tree->expand(children, numbers, bound, node, 1, &query, cells, CHANNELS, 0.5f);
        CHECK(same_bits(bounds[7], sign > 0 ? 1 : 0) && kept == (sign > 0 ? 4 : 0));
        memset(cells, 1, sizeof cells);
        tree->roots(bounds, &query, cells, 16, CHANNELS);
        CHECK(same_bits(bounds[7], sign > 0 ? 0 : 1));
    }
}

static void roots(void) {
    enum { COUNT = 48 };
    uint8_t cells[COUNT * MAX_CHANNELS];
    int8_t vector[MAX_CHANNELS];
    float bounds[COUNT];
    struct scp_tree_query query;
    struct scp_rng rng;
    scp_rng_init(&rng, 13, 0);
    for (size_t channels = 16; channels <= MAX_CHANNELS; channels += 16) {
        integers(cells, COUNT, vector, &query, channels, &rng);
        const float max = tree->roots(bounds, &query, cells, COUNT, channels);
        CHECK(same_bits(max, largest_of(bounds, COUNT)));
        for (size_t i = 0; i < COUNT; i++)
            CHECK(same_bits(bounds[i],
                            factor(&query, cells + i / 16 * 16 * channels, 16, i % 16, channels)));
    }
}

static void filter(void) {
    float bound[64 + 16], out_bound[64 + 16];
    uint32_t node[64 + 16], out_node[64 + 16];
    for (size_t count = 0; count <= 64; count += 7) {
        fill(bound, 64, 400 + count);
        for (size_t i = 0; i < 80; i++)
            bound[i] = i < count ? fabsf(bound[i]) : 0, node[i] = 3 * (uint32_t)i;
        const size_t kept = tree->filter(out_bound, out_node, bound, node, count, 0.01f);
        size_t expected = 0;
        for (size_t i = 0; i < count; i++)
            if (bound[i] >= 0.01f) {
                CHECK(same_bits(out_bound[expected], bound[i]) && out_node[expected] == node[i]);
                expected++;
            }
        CHECK(kept == expected);
    }
}

static void shortlist(void) {
    float bound[100 + 16], before[100], out_bound[100 + 16], left;
    uint32_t node[100 + 16], out_node[100 + 16];
    for (uint32_t i = 0; i < 116; i++) node[i] = 1000 + i;
    for (size_t count = 0; count <= 100; count += 10) {
        struct scp_rng rng;
        scp_rng_init(&rng, 15, count);
        memset(bound, 0, sizeof bound);
        for (size_t i = 0; i < count; i++) bound[i] = before[i] = (float)scp_rng_uniform(&rng);
        const float largest = largest_of(before, count);
        const size_t kept =
            tree->shortlist(out_bound, out_node, &left, bound, node, count, largest, 10, 0.5f);
        float others = 0, min = 2e6f;
        size_t at = 0;
        for (size_t i = 0; i < count; i++) {
            if (bound[i] == before[i]) {
                others = bound[i] > others ? bound[i] : others;
                continue;
            }
            CHECK(bound[i] == 0 && at < kept && same_bits(out_bound[at], before[i]) &&
                  out_node[at] == node[i]);
            min = before[i] < min ? before[i] : min;
            at++;
        }
        CHECK(at == kept && kept <= 10 && (kept >= 1 || count == 0) && same_bits(left, others));
        CHECK(kept == 0 || (min >= 0.5f * largest && min > others));
        /* more would be too many: the next come within a 64th of the range, up to the eleventh */
        const float lower = others - largest / 64;
        size_t more = 0;
        for (size_t i = 0; i < count; i++) more += before[i] >= lower;
        CHECK(count == 0 || more > 10 || others < 0.5f * largest);
    }
    for (size_t i = 0; i < 116; i++) bound[i] = i < 100 ? 0.25f : 0; /* ties: the first ten */
    CHECK(tree->shortlist(out_bound, out_node, &left, bound, node, 100, 0.25f, 10, 0.5f) == 10);
    for (uint32_t i = 0; i < 10; i++) CHECK(out_node[i] == 1000 + i && bound[i] == 0);
    for (size_t i = 10; i < 100; i++) CHECK(bound[i] == 0.25f);
    CHECK(left == 0.25f);
    memset(bound, 0, sizeof bound);
    CHECK(tree->shortlist(out_bound, out_node, &left, bound, node, 100, 0, 10, 0.5f) == 0);
    CHECK(left == 0);
}

static void find(void) {
    float values[64];
    for (size_t count = 1; count <= 48; count++)
        for (size_t at = 0; at < count; at++) {
            for (size_t i = 0; i < 64; i++) values[i] = i < count ? 0.5f : 0;
            values[at] = 0.75f;
            values[count - 1] = 0.75f; /* the first of two */
            CHECK(tree->find(values, count, 0.75f) == at);
        }
    memset(values, 0, sizeof values);
    CHECK(tree->find(values, 3, 0) == 0 && tree->find(values, 40, 1) == 39);
}

static void max_abs(void) {
    float in[96];
    for (size_t count = 16; count <= 96; count += 16) {
        fill(in, count, 500 + count);
        for (size_t at = 0; at < count; at += 5) {
            const float before = in[at];
            in[at] = at % 2 ? 2e6f : -2e6f;
            CHECK(tree->max_abs(in, count) == 2e6f);
            in[at] = before;
        }
    }
    CHECK(tree->max_abs(in, 0) == 0);
}

static void quantise(void) {
    float in[MAX_CHANNELS], sums[2];
    uint8_t out[MAX_CHANNELS];
    for (size_t channels = 16; channels <= MAX_CHANNELS; channels += 16) {
        float rests[MAX_CHANNELS];
        struct scp_rng rng;
        scp_rng_init(&rng, 14, channels);
        for (size_t i = 0; i < channels; i++) in[i] = (float)(2 * scp_rng_uniform(&rng) - 1);
        in[0] = 1.0005f, in[1] = -1.0005f, in[2] = 0;
        tree->quantise(out, sums, in, 127, channels);
        for (size_t i = 0; i < channels; i++) {
            const volatile float x = in[i] * 127;
            rests[i] = x - (float)(out[i] - 128);
            CHECK(fabsf(rests[i]) <= 0.5001f);
        }
        CHECK(same_bits(sums[0], dot(rests, rests, channels)));
        CHECK(same_bits(sums[1], dot(in, in, channels)));
    }
    in[5] = NAN;
    tree->quantise(out, sums, in, 127, 16);
    CHECK(!(sums[1] <= 2));
}

/* Four at once are four times one, interleaved. */
static void quantise4(void) {
    const float scales[4] = {127, 0, 100.5f, 126};
    float in[4 * MAX_CHANNELS], sums[8], expected[2];
    uint8_t out[4 * MAX_CHANNELS], one[MAX_CHANNELS];
    for (size_t channels = 16; channels <= MAX_CHANNELS; channels += 16) {
        const float *const rows[4] = {in, in + 3 * channels, in + channels, in + 2 * channels};
        struct scp_rng rng;
        scp_rng_init(&rng, 19, channels);
        for (size_t i = 0; i < 4 * channels; i++) in[i] = (float)(2 * scp_rng_uniform(&rng) - 1);
        tree->quantise4(out, sums, rows, scales, channels);
        for (size_t n = 0; n < 4; n++) {
            tree->quantise(one, expected, rows[n], scales[n], channels);
            CHECK(same_bits(sums[n], expected[0]) && same_bits(sums[4 + n], expected[1]));
            for (size_t c = 0; c < channels; c++) CHECK(out[c / 4 * 16 + 4 * n + c % 4] == one[c]);
        }
    }
    const float *const rows[4] = {in, in + 16, in + 32, in + 48};
    in[40] = NAN;
    tree->quantise4(out, sums, rows, scales, 16);
    CHECK(!(sums[6] <= 100) && sums[5] <= 100 && sums[7] <= 100);
}

static void tree_kernels(const struct scp_tree_kernels *kernels) {
    tree = kernels;
    expand();
    extremes();
    roots();
    filter();
    shortlist();
    find();
    max_abs();
    quantise();
    quantise4();
}

static void every_set_gives_the_stated_bits(void) {
    size_t sets = 0;
    for (int i = 0; i < (int)SCP_ISA_COUNT; i++) {
        if (scp_isa_set(scp_isa_name((enum scp_isa)i)) != SCP_OK) continue;
        CHECK(strcmp(scp_kernels()->name, scp_isa_name((enum scp_isa)i)) == 0);
        dots();
        combine();
        tree_kernels(&scp_kernels()->tree);
        sets++;
    }
    CHECK(sets >= 1);
    scp_isa_set(NULL);
#if defined(__x86_64__) /* where a CPU has VNNI, the set without it */
    if (scp_isa_available(SCP_ISA_AVX512)) tree_kernels(&scp_kernels_avx512.tree);
#endif
}

int main(void) {
    RUN(every_set_gives_the_stated_bits);
    return test_end();
}
