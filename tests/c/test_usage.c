/* The program in the comment of scp/scp.h, from pixels to the images to annotate, at work: it must
 * choose one image of each of two kinds. tests/test_c_style.py compares both texts. */
#include "test.h"

#include <math.h>

/* ---- program ---- */
#include "scp/scp.h"

enum { N = 6, M = 2, SIDE = 128, POINTS = 49, Q = N * POINTS, D = 4, C = 64, CELLS = 5440 };
static float images[N][SIDE][SIDE], features[N][CELLS][C], norms[N][CELLS];
static float queries[Q][D][C], query_norms[Q][D], values[N][Q];
static double weights[Q];
static uint8_t roles[N]; // SCP_FREE

static enum scp_status choose(uint32_t ids[N], size_t *count) {
    const struct scp_grid grid = {D, C, SIDE >> D, SIDE >> D};
    const struct scp_match_options options = {SCP_NEAREST, SCP_MATCH_AUTO, 1e-3f};
    struct scp_queries *points = NULL;
    struct scp_select *problem = NULL;
    enum scp_status status = scp_gradient_pyramid(**features, *norms, **images, N, &grid, NULL);
    for (size_t q = 0; q < Q; q++) { // key points: a lattice; scp/surf.h finds better ones
        const size_t i = q / POINTS, y = 16 + q % POINTS / 7 * 16, x = 16 + q % 7 * 16;
        weights[q] = 1.0 / Q;
        for (size_t d = 0; d < D; d++) {
            const size_t row = y >> (D - d), column = x >> (D - d);
            const size_t cell = scp_grid_offset(&grid, d) + row * (grid.width << d) + column;
            memcpy(queries[q][d], features[i][cell], sizeof queries[q][d]);
            query_norms[q][d] = norms[i][cell];
        }
    }
    if (!status) status = scp_queries_create(&points, **queries, *query_norms, Q, D, C, NULL);
    for (size_t t = 0; t < N && !status; t++) { // Eq. 7: every key point in image t
        const struct scp_pyramid image = {grid, *features[t], norms[t]};
        struct scp_match_stats stats;
        int32_t cells[Q];
        status = scp_match(values[t], cells, &stats, &image, points, &options, NULL);
    }
    const struct scp_select_input input = {*values, weights, roles, .n = N, .q = Q};
    if (!status) status = scp_select_create(&problem, &input, NULL);
    if (!status) status = scp_select_greedy(ids, count, problem, M, NULL); // Eq. 10
    scp_select_free(problem);
    scp_queries_free(points);
    return status;
}
/* ---- end ---- */

/* Even images have waves along x and y, odd ones rings; each its own shift. */
static void draw_images(void) {
    for (size_t i = 0; i < N; i++)
        for (size_t y = 0; y < SIDE; y++)
            for (size_t x = 0; x < SIDE; x++) {
                const double v = (double)y - 64 + (double)i, u = (double)x - 64 - (double)i;
                const double wave = i % 2 ? sin(0.6 * sqrt(v * v + u * u)) : sin(0.2 * v * u / 16);
                images[i][y][x] = (float)(0.5 + 0.5 * wave);
            }
}

static void two_kinds_are_chosen(void) {
    uint32_t ids[N];
    size_t count = 0;
    const struct scp_grid grid = {D, C, SIDE >> D, SIDE >> D};
    CHECK(scp_grid_offset(&grid, D) == CELLS);
    draw_images();
    CHECK(choose(ids, &count) == SCP_OK);
    CHECK(count == M && ids[0] % 2 != ids[1] % 2);
    for (size_t q = 0; q < Q; q++) /* an image's own key points are found in it, s is nearly 1 */
        CHECK(values[q / POINTS][q] > 0.9f && values[q / POINTS][q] <= 1);
}

int main(void) {
    RUN(two_kinds_are_chosen);
    return test_end();
}
