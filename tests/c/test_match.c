/* Matching without Python: both paths agree to the bit at any number of threads, on every set. */
#include "test.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "scp/cpu.h"
#include "scp/gradient.h"
#include "scp/match.h"
#include "scp/random.h"

#define SIDE 96
#define LEVELS 4
#define CHANNELS 48
#define QUERIES 70

static const struct scp_grid grid = {LEVELS, CHANNELS, SIDE >> LEVELS, SIDE >> LEVELS};

struct scene {
    float *image, *features, *norms, *queries, *query_norms;
    size_t cells;
};

/* A smooth random picture, its gradient pyramid, and queries taken from some of its cells. */
static struct scene make_scene(void) {
    struct scene s = {.cells = scp_grid_offset(&grid, LEVELS)};
    s.image = scp_alloc(SIDE * SIDE, sizeof(float));
    s.features = scp_alloc(s.cells * CHANNELS, sizeof(float));
    s.norms = scp_alloc(s.cells, sizeof(float));
    s.queries = scp_alloc(QUERIES * LEVELS * CHANNELS, sizeof(float));
    s.query_norms = scp_alloc(QUERIES * LEVELS, sizeof(float));
    struct scp_rng rng;
    scp_rng_init(&rng, 3, 0);
    for (size_t i = 0; i < SIDE * SIDE; i++) {
        const double wave = sin(0.2 * (double)(i % SIDE)) * cos(0.13 * (double)(i / SIDE));
        s.image[i] = (float)(0.5 + 0.3 * wave + 0.2 * scp_rng_uniform(&rng));
    }
    CHECK(scp_gradient_pyramid(s.features, s.norms, s.image, 1, &grid, NULL) == SCP_OK);
    for (size_t q = 0; q < QUERIES; q++) {
        const size_t y = scp_rng_below(&rng, SIDE), x = scp_rng_below(&rng, SIDE);
        for (size_t d = 0; d < LEVELS; d++) {
            const size_t width = grid.width << d;
            const size_t cell =
                scp_grid_offset(&grid, d) + (y >> (LEVELS - d)) * width + (x >> (LEVELS - d));
            memcpy(s.queries + (q * LEVELS + d) * CHANNELS, s.features + cell * CHANNELS,
                   CHANNELS * sizeof(float));
            s.query_norms[q * LEVELS + d] = s.norms[cell];
        }
    }
    return s;
}

static void drop_scene(struct scene *s) {
    scp_free(s->image);
    scp_free(s->features);
    scp_free(s->norms);
    scp_free(s->queries);
    scp_free(s->query_norms);
}

static enum scp_status answer(float *value, int32_t *index, const struct scene *s,
                              enum scp_match_mode mode, enum scp_match_path path,
                              const struct scp_control *control) {
    const struct scp_match_options options = {mode, path, 1e-3f};
    struct scp_match_stats stats;
    const struct scp_pyramid pyramid = {grid, s->features, s->norms};
    struct scp_queries *queries;
    enum scp_status status =
        scp_queries_create(&queries, s->queries, s->query_norms, QUERIES, LEVELS, CHANNELS, NULL);
    if (status != SCP_OK) return status;
    status = scp_match(value, index, &stats, &pyramid, queries, &options, control);
    scp_queries_free(queries);
    CHECK(status != SCP_OK || stats.dots <= 4 * stats.brute);
    return status;
}

static void agrees_on_every_path_set_and_thread_count(void) {
    struct scene s = make_scene();
    for (int mode = SCP_NEAREST; mode <= SCP_BILINEAR; mode++) {
        float first[QUERIES], value[QUERIES];
        int32_t first_index[QUERIES], index[QUERIES];
        CHECK(answer(first, first_index, &s, (enum scp_match_mode)mode, SCP_MATCH_DENSE, NULL) ==
              SCP_OK);
        for (size_t q = 0; q < QUERIES; q++) CHECK(first[q] > 0 && first[q] <= 1);
        for (int isa = 0; isa < SCP_ISA_COUNT; isa++) {
            if (scp_isa_set(scp_isa_name((enum scp_isa)isa)) != SCP_OK) continue;
            for (size_t threads = 1; threads <= 4; threads += 3) {
                CHECK(scp_threads_set(threads) == SCP_OK);
                for (int path = SCP_MATCH_AUTO; path <= SCP_MATCH_DENSE; path++) {
                    CHECK(answer(value, index, &s, (enum scp_match_mode)mode,
                                 (enum scp_match_path)path, NULL) == SCP_OK);
                    CHECK(memcmp(value, first, sizeof value) == 0);
                    CHECK(memcmp(index, first_index, sizeof index) == 0);
                }
            }
        }
        CHECK(scp_isa_set(NULL) == SCP_OK);
        CHECK(scp_threads_set(0) == SCP_OK);
    }
    drop_scene(&s);
}

static void survives_failing_allocations(void) {
    struct scene s = make_scene();
    const size_t before = scp_alloc_outstanding();
    float value[QUERIES];
    int32_t index[QUERIES];
    enum scp_status status = SCP_ENOMEM;
    uint64_t n = 0;
    while (status != SCP_OK && n < 50) {
        scp_alloc_fail_at(++n);
        status = answer(value, index, &s, SCP_NEAREST, SCP_MATCH_AUTO, NULL);
        CHECK(status == SCP_OK || status == SCP_ENOMEM);
        CHECK(scp_alloc_outstanding() == before);
    }
    scp_alloc_fail_at(0);
    CHECK(status == SCP_OK && n > 4);
    drop_scene(&s);
}

static void refuses_what_breaks_its_contract(void) {
    struct scene s = make_scene();
    float value[QUERIES];
    int32_t index[QUERIES];
    const float kept = s.features[100];
    static const float bad[] = {NAN, INFINITY, 2.0f};
    for (size_t i = 0; i < 3; i++) {
        s.features[100] = bad[i];
        CHECK(answer(value, index, &s, SCP_NEAREST, SCP_MATCH_AUTO, NULL) == SCP_EINVAL);
    }
    s.features[100] = kept;
    s.norms[5] = -1;
    CHECK(answer(value, index, &s, SCP_NEAREST, SCP_MATCH_AUTO, NULL) == SCP_EINVAL);
    s.norms[5] = 1;
    s.queries[7] = NAN;
    CHECK(answer(value, index, &s, SCP_NEAREST, SCP_MATCH_AUTO, NULL) == SCP_EINVAL);
    s.queries[7] = 0;
    struct scp_queries *queries;
    struct scp_grid bad_grid = grid;
    bad_grid.levels = 0;
    CHECK(scp_gradient_pyramid(s.features, s.norms, s.image, 1, &bad_grid, NULL) == SCP_EINVAL);
    CHECK(scp_queries_create(&queries, s.queries, s.query_norms, QUERIES, LEVELS, 17, NULL) ==
          SCP_EINVAL);
    CHECK(scp_queries_create(&queries, s.queries, s.query_norms, QUERIES, LEVELS - 1, CHANNELS,
                             NULL) == SCP_OK);
    const struct scp_match_options options = {SCP_NEAREST, SCP_MATCH_AUTO, 1e-3f};
    struct scp_match_stats stats;
    const struct scp_pyramid pyramid = {grid, s.features, s.norms};
    CHECK(scp_match(value, index, &stats, &pyramid, queries, &options, NULL) == SCP_EINVAL);
    scp_queries_free(queries);
    drop_scene(&s);
}

static int stop(void *data, size_t done, size_t total) {
    (void)data, (void)done, (void)total;
    return 1;
}

static void stops_when_asked(void) {
    struct scene s = make_scene();
    const struct scp_control control = {.poll = stop};
    float value[QUERIES];
    int32_t index[QUERIES];
    CHECK(answer(value, index, &s, SCP_NEAREST, SCP_MATCH_AUTO, &control) == SCP_EINTERRUPTED);
    drop_scene(&s);
}

int main(void) {
    RUN(agrees_on_every_path_set_and_thread_count);
    RUN(survives_failing_allocations);
    RUN(refuses_what_breaks_its_contract);
    RUN(stops_when_asked);
    return test_end();
}
