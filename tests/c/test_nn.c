/* Networks: plans of a small U-Net give the same bits at any number of threads, also from several
 * threads at once, survive failing allocations, and leave nothing. */
#include <pthread.h>
#include <string.h>

#include "scp/alloc.h"
#include "scp/nn.h"
#include "scp/random.h"
#include "test.h"

#define SIDE 32
#define BATCH 2
#define OUT 5

#define CONV(in, c, k, s, p)                                                                       \
    {.op = SCP_OP_CONV,                                                                            \
     .inputs = {in, -1, -1, -1},                                                                   \
     .channels = c,                                                                                \
     .kernel_y = k,                                                                                \
     .kernel_x = k,                                                                                \
     .stride = s,                                                                                  \
     .dilation = 1,                                                                                \
     .pad_y = p,                                                                                   \
     .pad_x = p,                                                                                   \
     .bias = 1}
#define NORM(in)                                                                                   \
    {.op = SCP_OP_BATCH_NORM, .inputs = {in, -1, -1, -1}, .epsilon = 1e-5f, .momentum = 0.1f}
#define PLAIN(o, in) {.op = o, .inputs = {in, -1, -1, -1}}

static const struct scp_layer layers[] = {
    {.op = SCP_OP_INPUT, .inputs = {-1, -1, -1, -1}, .channels = 1},
    CONV(0, 16, 4, 2, 1),
    NORM(1),
    PLAIN(SCP_OP_LEAKY, 2),
    PLAIN(SCP_OP_MAX_POOL, 3),
    CONV(4, 32, 3, 1, 1),
    NORM(5),
    PLAIN(SCP_OP_LEAKY, 6),
    {.op = SCP_OP_RESIZE, .inputs = {7, -1, -1, -1}, .factor = 2},
    {.op = SCP_OP_CONCAT, .inputs = {3, 8, -1, -1}},
    {.op = SCP_OP_CONV,
     .inputs = {9, -1, -1, -1},
     .channels = OUT,
     .kernel_y = 3,
     .kernel_x = 3,
     .stride = 1,
     .dilation = 1,
     .pad_y = 1,
     .pad_x = 1,
     .bias = 1,
     .output = 1},
};
#define COUNT (sizeof layers / sizeof layers[0])

struct run {
    float *gradients, *state; /* the results */
    enum scp_status status;
};

static struct scp_graph *graph;
static size_t n_parameters, n_state;
static float *parameters, *images;

static void fill(float *values, size_t n, uint64_t stream) {
    struct scp_rng rng;
    scp_rng_init(&rng, 1, stream);
    for (size_t i = 0; i < n; i++) values[i] = (float)scp_rng_uniform(&rng) - 0.5f;
}

static enum scp_status train_once(struct run *run) {
    struct scp_plan *plan = NULL;
    struct scp_output out;
    size_t bytes, bad;
    memset(run->gradients, 0, n_parameters * sizeof(float));
    memset(run->state, 0, n_state * sizeof(float));
    enum scp_status status =
        scp_plan_create(&plan, &bytes, &bad, graph, BATCH, SIDE, SIDE, SCP_PLAN_TRAIN);
    if (status != SCP_OK) return status;
    status = scp_plan_forward(plan, parameters, run->state, images, 0, 0, NULL);
    if (status == SCP_OK) {
        scp_plan_output(&out, plan, 0);
        for (size_t i = 0; i < BATCH * SIDE / 2 * SIDE / 2; i++)
            for (size_t c = 0; c < out.stride; c++)
                out.gradient[i * out.stride + c] = c < OUT ? out.values[i * out.stride + c] : 0;
        status = scp_plan_backward(plan, run->gradients, NULL, parameters, NULL);
    }
    scp_plan_free(plan);
    return status;
}

static void *train_in_thread(void *context) {
    struct run *run = context;
    run->status = train_once(run);
    return NULL;
}

static struct run new_run(void) {
    struct run run = {scp_alloc(n_parameters, sizeof(float)), scp_alloc(n_state, sizeof(float)),
                      SCP_OK};
    CHECK(run.gradients && run.state);
    return run;
}

static int same(const struct run *a, const struct run *b) {
    return memcmp(a->gradients, b->gradients, n_parameters * sizeof(float)) == 0 &&
           memcmp(a->state, b->state, n_state * sizeof(float)) == 0;
}

static void free_run(struct run *run) {
    scp_free(run->gradients);
    scp_free(run->state);
}

static void same_bits_at_any_number_of_threads(void) {
    struct run first = new_run(), other = new_run();
    float largest = 0;
    CHECK(scp_threads_set(1) == SCP_OK);
    CHECK(train_once(&first) == SCP_OK);
    for (size_t i = 0; i < n_parameters; i++)
        largest = first.gradients[i] > largest ? first.gradients[i] : largest;
    CHECK(largest > 0.01f);
    for (size_t threads = 2; threads <= 4; threads++) {
        CHECK(scp_threads_set(threads) == SCP_OK);
        CHECK(train_once(&other) == SCP_OK);
        CHECK(same(&first, &other));
    }
    free_run(&first);
    free_run(&other);
}

static void several_threads_may_train_at_once(void) {
    struct run runs[3] = {new_run(), new_run(), new_run()};
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        CHECK(pthread_create(threads + i, NULL, train_in_thread, runs + i) == 0);
    for (int i = 0; i < 3; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
        CHECK(runs[i].status == SCP_OK);
    }
    CHECK(same(runs, runs + 1) && same(runs, runs + 2));
    for (int i = 0; i < 3; i++) free_run(runs + i);
}

static void failing_allocations_leave_nothing(void) {
    struct run run = new_run();
    const size_t before = scp_alloc_outstanding();
    uint64_t n = 1;
    for (;; n++) {
        scp_alloc_fail_at(n);
        const enum scp_status status = train_once(&run);
        scp_alloc_fail_at(0);
        CHECK(scp_alloc_outstanding() == before);
        if (status == SCP_OK) break;
        CHECK(status == SCP_ENOMEM);
        if (n > 1000) break;
    }
    CHECK(n > 5 && n < 1000);
    free_run(&run);
}

int main(void) {
    size_t bad;
    CHECK(scp_graph_create(&graph, &bad, layers, COUNT) == SCP_OK);
    n_parameters = scp_graph_parameters(graph);
    n_state = scp_graph_state(graph);
    parameters = scp_alloc(n_parameters, sizeof(float));
    images = scp_alloc(BATCH * SIDE * SIDE, sizeof(float));
    CHECK(parameters && images);
    fill(parameters, n_parameters, 0);
    fill(images, BATCH * SIDE * SIDE, 1);
    RUN(same_bits_at_any_number_of_threads);
    RUN(several_threads_may_train_at_once);
    RUN(failing_allocations_leave_nothing);
    scp_graph_free(graph);
    scp_free(parameters);
    scp_free(images);
    return test_end();
}
