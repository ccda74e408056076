/* Training: kernels in their stated order on every instruction set, and the C interface with
 * failing allocations. */
#include "order.h"
#include "test.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "../../csrc/kernels/kernels.h"
#include "scp/cpu.h"
#include "scp/random.h"
#include "scp/refine.h"
#include "scp/train.h"

#define CELLS 21
#define STRIDE 64

static void fill(float *out, size_t count, uint64_t stream) {
    struct scp_rng rng;
    scp_rng_init(&rng, 5, stream);
    for (size_t i = 0; i < count; i++) out[i] = (float)(2 * scp_rng_uniform(&rng) - 1);
}

static void cells_in_order(void) {
    const struct scp_objective_kernels *kernels = &scp_kernels()->objective;
    float cells[CELLS * STRIDE], query[STRIDE], a[CELLS], b[CELLS], out[CELLS + 1];
    float gradients[CELLS * STRIDE], before[CELLS * STRIDE], sum[STRIDE], first[STRIDE];
    fill(cells, CELLS * STRIDE, 1);
    fill(query, STRIDE, 2);
    fill(a, CELLS, 3);
    fill(b, CELLS, 4);
    for (size_t channels = 16; channels <= STRIDE; channels += 16)
        for (size_t n = 0; n <= CELLS; n++) {
            out[n] = 77;
            kernels->dots(out, query, cells, STRIDE, n, channels);
            for (size_t i = 0; i < n; i++)
                CHECK(same_bits(out[i], dot(query, cells + i * STRIDE, channels)));
            CHECK(same_bits(out[n], 77));
            kernels->norms(out, cells, STRIDE, n, channels);
            for (size_t i = 0; i < n; i++) {
                const float *cell = cells + i * STRIDE;
                CHECK(same_bits(out[i], sqrtf(dot(cell, cell, channels))));
            }
            CHECK(same_bits(out[n], 77));

            fill(before, CELLS * STRIDE, 6);
            fill(first, STRIDE, 7);
            memcpy(gradients, before, sizeof before);
            memcpy(sum, first, sizeof first);
            kernels->backward(gradients, sum, query, cells, a, b, STRIDE, n, channels);
            kernels->project(gradients, cells, b, STRIDE, n, channels);
            for (size_t c = 0; c < STRIDE; c++) {
                volatile float total = first[c];
                for (size_t i = 0; i < CELLS; i++) {
                    volatile float g = before[i * STRIDE + c];
                    if (i < n && c < channels) {
                        const volatile float push = a[i] * query[c];
                        const volatile float back = b[i] * cells[i * STRIDE + c];
                        g = g + push;
                        g = g - back;
                        total = total + back;
                    }
                    CHECK(same_bits(gradients[i * STRIDE + c], g));
                }
                CHECK(same_bits(sum[c], total));
            }
        }
}

static void adam_in_order(void) {
    const struct scp_objective_kernels *kernels = &scp_kernels()->objective;
    const struct scp_adam_step s = {0.01f, 3, 0.9f, 0.99f, 1e-3f, 0.1f, 0.5f};
    float p[37], m[37], v[37], g[37], old[37];
    for (size_t n = 0; n <= 36; n++) {
        fill(p, 37, 1);
        memcpy(old, p, sizeof p);
        memset(m, 0, sizeof m);
        memset(v, 0, sizeof v);
        fill(g, 37, 2);
        double squares = 0;
        for (size_t i = 0; i < n; i++) squares += (double)g[i] * (double)g[i];
        CHECK(fabs(kernels->squares(g, n) - squares) <= 1e-12 * squares);
        kernels->adam(p, m, v, g, n, &s);
        for (size_t i = 0; i < 37; i++) {
            const float x = s.scale * g[i] + s.decay * old[i];
            const float first = (1 - s.beta1) * x, second = (1 - s.beta2) * x * x;
            const float move = s.rate * first / (sqrtf(second * s.correction) + s.epsilon);
            CHECK(fabsf(p[i] - (i < n ? old[i] - move : old[i])) <= 1e-6f);
            CHECK(fabsf(m[i] - (i < n ? first : 0)) <= 1e-7f);
            CHECK(fabsf(v[i] - (i < n ? second : 0)) <= 1e-7f);
        }
    }
}

static void on_every_set(void) {
    for (int isa = 0; isa < SCP_ISA_COUNT; isa++) {
        if (!scp_isa_available((enum scp_isa)isa)) continue;
        CHECK(scp_isa_set(scp_isa_name((enum scp_isa)isa)) == SCP_OK);
        cells_in_order();
        adam_in_order();
    }
    CHECK(scp_isa_set(NULL) == SCP_OK);
}

#define SIDE 32
#define IMAGES 3

/* Two levels, strides 4 and 2. */
static const struct scp_layer layers[] = {
    {.op = SCP_OP_INPUT, .inputs = {-1, -1, -1, -1}, .channels = 1},
    {.op = SCP_OP_CONV,
     .inputs = {0, -1, -1, -1},
     .channels = 8,
     .kernel_y = 2,
     .kernel_x = 2,
     .stride = 2,
     .dilation = 1,
     .bias = 1},
    {.op = SCP_OP_CONV,
     .inputs = {1, -1, -1, -1},
     .channels = 8,
     .kernel_y = 2,
     .kernel_x = 2,
     .stride = 2,
     .dilation = 1,
     .bias = 1,
     .output = 1},
    {.op = SCP_OP_CONV,
     .inputs = {1, -1, -1, -1},
     .channels = 8,
     .kernel_y = 1,
     .kernel_x = 1,
     .stride = 1,
     .dilation = 1,
     .bias = 1,
     .output = 1},
};

static const struct scp_train_options options = {
    .sample = {.seed = 3,
               .batch = 2,
               .crop = 16,
               .points = 5,
               .point_margin = 0.1f,
               .strength = {[SCP_VIEW_IMAGE] = {[SCP_ROTATION] = 10, [SCP_NOISE] = 0.1f},
                            [SCP_VIEW_CROP] = {[SCP_ELASTIC] = 0.02f,
                                               [SCP_BLUR] = 1,
                                               [SCP_GAMMA] = 0.3f,
                                               [SCP_SHADE_ADD] = 0.1f}}},
    .objective = {SCP_OBJECTIVE_WINDOWED, 3, 0.1f, 0.07f, 0.8f, 1e-3f, {1, 1}},
    .adam = {0.9f, 0.999f, 1e-8f, 1e-4f, 1.0f},
};

static enum scp_status run(double *losses, size_t *done, const struct scp_graph *graph,
                           const struct scp_pool *pool, size_t steps, const float *start) {
    struct scp_trainer *trainer = NULL;
    size_t bytes = 0, bad = 0;
    float arrays[4][1024] = {{0}};
    const double rates[4] = {1e-2, 1e-2, 1e-2, 1e-2};
    const size_t n = scp_graph_parameters(graph);
    enum scp_status status = scp_train_create(&trainer, &bytes, &bad, graph, pool, &options);
    if (status != SCP_OK) return status;
    memcpy(arrays[0], start, n * sizeof(float));
    status = scp_train_run(trainer, losses, done, arrays[0], arrays[1], arrays[2], arrays[3], 0,
                           rates, steps, NULL);
    scp_train_free(trainer);
    return status;
}

static void loop(void) {
    struct scp_graph *graph = NULL;
    size_t bad = 0, done = 0, failures = 0;
    float images[IMAGES * SIDE * SIDE], start[1024];
    double losses[8], again[8];
    CHECK(scp_graph_create(&graph, &bad, layers, sizeof layers / sizeof layers[0]) == SCP_OK);
    if (!graph) return;
    CHECK(scp_graph_parameters(graph) <= 1024);
    fill(images, IMAGES * SIDE * SIDE, 8);
    for (size_t i = 0; i < IMAGES * SIDE * SIDE; i++) images[i] = (images[i] + 1) / 2;
    fill(start, 1024, 9);
    const struct scp_pool pool = {images, IMAGES, SIDE, SIDE};
    CHECK(run(losses, &done, graph, &pool, 4, start) == SCP_OK && done == 4);
    for (int i = 0; i < 8; i++) CHECK(losses[i] > 0 && losses[i] < 100);
    CHECK(scp_threads_set(3) == SCP_OK);
    CHECK(run(again, &done, graph, &pool, 4, start) == SCP_OK);
    CHECK(memcmp(losses, again, sizeof losses) == 0);

    const size_t held = scp_alloc_outstanding();
    for (uint64_t n = 1; n < 1000; n++) {
        scp_alloc_fail_at(n);
        const enum scp_status status = run(losses, &done, graph, &pool, 2, start);
        scp_alloc_fail_at(0);
        CHECK(scp_alloc_outstanding() == held);
        if (status == SCP_OK) break;
        CHECK(status == SCP_ENOMEM);
        failures++;
    }
    CHECK(failures > 20 && failures < 999);

    start[0] = NAN;
    CHECK(run(losses, &done, graph, &pool, 2, start) == SCP_OK && done == 0);
    CHECK(!(losses[0] < INFINITY));
    scp_graph_free(graph);
}

#define LANDMARKS 2

/* Three channels per landmark, stride 2. */
static const struct scp_layer refine_layers[] = {
    {.op = SCP_OP_INPUT, .inputs = {-1, -1, -1, -1}, .channels = 1},
    {.op = SCP_OP_CONV,
     .inputs = {0, -1, -1, -1},
     .channels = 3 * LANDMARKS,
     .kernel_y = 4,
     .kernel_x = 4,
     .stride = 2,
     .dilation = 1,
     .pad_y = 1,
     .pad_x = 1,
     .bias = 1,
     .output = 1},
};

static const struct scp_refine_options refine_options = {
    .seed = 3,
    .labelled = 1,
    .pseudo = 2,
    .scale = 2,
    .shift = -1,
    .radius = 4,
    .focal = 2,
    .strength = {[SCP_ROTATION] = 10, [SCP_ELASTIC] = 0.02f, [SCP_NOISE] = 0.1f}};

static enum scp_status refine(double *losses, size_t *done, const struct scp_graph *graph,
                              const struct scp_pool *pool, const struct scp_labels *labels,
                              size_t steps, const float *start) {
    struct scp_refiner *refiner = NULL;
    size_t bytes = 0, bad = 0;
    float arrays[4][1024] = {{0}};
    const double rates[4] = {1e-2, 1e-2, 1e-2, 1e-2};
    enum scp_status status = scp_refiner_create(&refiner, &bytes, &bad, graph, pool, labels,
                                                &refine_options, &options.adam);
    if (status != SCP_OK) return status;
    memcpy(arrays[0], start, scp_graph_parameters(graph) * sizeof(float));
    status = scp_refiner_run(refiner, losses, done, arrays[0], arrays[1], arrays[2], arrays[3], 0,
                             rates, steps, NULL);
    scp_refiner_free(refiner);
    return status;
}

static void refinement(void) {
    static const uint32_t labelled[] = {1}, pseudo[] = {0, 2};
    struct scp_graph *graph = NULL;
    size_t bad = 0, done = 0, failures = 0;
    float images[IMAGES * SIDE * SIDE], points[IMAGES * LANDMARKS * 2], start[1024];
    float weights[IMAGES * LANDMARKS] = {1, 0.5f, 1, 1, 0, 0.25f};
    double losses[4 * SCP_REFINE_LOSSES], again[4 * SCP_REFINE_LOSSES];
    CHECK(scp_graph_create(&graph, &bad, refine_layers, 2) == SCP_OK);
    if (!graph) return;
    fill(images, IMAGES * SIDE * SIDE, 8);
    for (size_t i = 0; i < IMAGES * SIDE * SIDE; i++) images[i] = (images[i] + 1) / 2;
    fill(points, IMAGES * LANDMARKS * 2, 9);
    for (size_t i = 0; i < IMAGES * LANDMARKS * 2; i++) points[i] = 16 + 15 * points[i];
    fill(start, 1024, 9);
    const struct scp_pool pool = {images, IMAGES, SIDE, SIDE};
    const struct scp_labels labels = {points, weights, LANDMARKS, labelled, pseudo, 1, 2};
    CHECK(refine(losses, &done, graph, &pool, &labels, 4, start) == SCP_OK && done == 4);
    for (int i = 0; i < 4 * SCP_REFINE_LOSSES; i++) CHECK(losses[i] > 0 && losses[i] < 100);
    CHECK(scp_threads_set(2) == SCP_OK);
    CHECK(refine(again, &done, graph, &pool, &labels, 4, start) == SCP_OK);
    CHECK(memcmp(losses, again, sizeof losses) == 0);

    const size_t held = scp_alloc_outstanding();
    for (uint64_t n = 1; n < 1000; n++) {
        scp_alloc_fail_at(n);
        const enum scp_status status = refine(losses, &done, graph, &pool, &labels, 2, start);
        scp_alloc_fail_at(0);
        CHECK(scp_alloc_outstanding() == held);
        if (status == SCP_OK) break;
        CHECK(status == SCP_ENOMEM);
        failures++;
    }
    CHECK(failures > 15 && failures < 999);

    start[0] = NAN;
    CHECK(refine(losses, &done, graph, &pool, &labels, 2, start) == SCP_OK && done == 0);
    weights[0] = 2;
    CHECK(refine(losses, &done, graph, &pool, &labels, 2, start) == SCP_EINVAL);
    scp_graph_free(graph);
}

static void votes(void) {
    float map[8 * 8 * 16] = {0};
    double xy[4], confidence[2];
    size_t failures = 0;
    const struct scp_vote_options o[SCP_VOTES] = {{SCP_VOTE_COUNT, 9, 2, 2},
                                                  {SCP_VOTE_WEIGHTED, 9, 2, 2}};
    for (size_t y = 2; y <= 4; y++)
        for (size_t x = 4; x <= 6; x++) { /* a disc around (5, 3) */
            float *pixel = map + (y * 8 + x) * 16;
            pixel[1] = 5;
            pixel[3] = (5 - (float)x) / 2;
            pixel[5] = (3 - (float)y) / 2;
        }
    const size_t held = scp_alloc_outstanding();
    for (int kind = 0; kind < SCP_VOTES; kind++)
        for (uint64_t n = 0; n < 100; n++) { /* 0: no failure */
            scp_alloc_fail_at(n);
            const enum scp_status status =
                scp_refine_vote(xy, confidence, map, 8, 8, 16, 2, 1, &o[kind], NULL);
            scp_alloc_fail_at(0);
            CHECK(scp_alloc_outstanding() == held);
            CHECK(status == SCP_OK || status == SCP_ENOMEM);
            failures += status == SCP_ENOMEM;
            if (status != SCP_OK) continue;
            CHECK(fabs(xy[2] - 5) < 1e-6 && fabs(xy[3] - 3) < 1e-6);
            CHECK(confidence[1] > 0.9 && confidence[1] <= 1);
            CHECK(xy[0] >= 0 && xy[0] <= 7 && xy[1] >= 0 && xy[1] <= 7);
        }
    CHECK(failures >= 8);
}

int main(void) {
    RUN(on_every_set);
    RUN(loop);
    RUN(refinement);
    RUN(votes);
    return test_end();
}
