/* Training: kernels in their stated order on every instruction set, and the C interface with
 * failing allocations. */
#include "order.h"
#include "test.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "../../csrc/kernels/kernels.h"
#include "scp/contrast.h"
#include "scp/cpu.h"
#include "scp/random.h"
#include "scp/refine.h"

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

/* ---- options ---- */

static void options(void) {
    struct scp_error bad = {NULL, 0, NULL};
    const struct scp_control asks = {.error = &bad};
    struct scp_contrast_options o;
    for (size_t t = 0; t < scp_option_tables_count; t++) {
        const struct scp_option_table *table = scp_option_tables[t];
        char *any = malloc(table->size);
        scp_options_default(any, table);
        CHECK(scp_options_check(table, any, &asks) == SCP_OK);
        for (size_t i = 0; i < table->count; i++) {
            CHECK(table->rows[i].at < table->size && *table->rows[i].meaning);
            for (size_t j = 0; j < i; j++) {
                CHECK(strcmp(table->rows[i].name, table->rows[j].name) != 0);
                CHECK(table->rows[i].at != table->rows[j].at);
            }
        }
        free(any);
    }
    scp_options_default(&o, &scp_contrast_table);
    CHECK(o.batch == 4 && o.view.strength[SCP_VIEW_CROP][SCP_ROTATION] == 20);
    CHECK(o.train.schedule == SCP_SCHEDULE_COSINE && o.negatives == SCP_NEGATIVES_WINDOWED);
#define REFUSED(field, value, name_of_it)                                                          \
    scp_options_default(&o, &scp_contrast_table);                                                  \
    o.field = value;                                                                               \
    CHECK(scp_options_check(&scp_contrast_table, &o, &asks) == SCP_EINVAL);                        \
    CHECK(strcmp(bad.argument, name_of_it) == 0)
    REFUSED(batch, 0, "batch");
    REFUSED(train.beta2, 1, "beta2");
    REFUSED(temperature, NAN, "temperature");
    REFUSED(objective, SCP_OBJECTIVES, "objective");
    REFUSED(objective, -1, "objective");
    REFUSED(view.strength[SCP_VIEW_CROP][SCP_NOISE], 1.5f, "noise");
    REFUSED(view.strength[SCP_VIEW_IMAGE][SCP_FLIP], NAN, "flip");
    REFUSED(level_weights.count, SCP_OPTION_MAX_REALS + 1, "level_weights");
    scp_options_default(&o, &scp_contrast_table);
    o.level_weights = (struct scp_reals){2, {1, -1}};
    CHECK(scp_options_check(&scp_contrast_table, &o, &asks) == SCP_EINVAL);
}

/* ---- the loop: a training that a reader can follow with a pencil ----
 *
 * Models: "net" with parameters w[4], of which 0 and 1 are frozen and 2 and 3 move by SGD; "free",
 * a number f without a network, that moves by Adam in every second step; "teacher", a moving
 * average of net. Loss of step s: sum_i (w_i - s)^2 / 2 + (f - 1)^2 / 2; net's state counts the
 * steps. */

struct toy {
    uint64_t step;
    uint64_t poison; /* the step whose loss is not a number */
    int *freed;
};

static enum scp_status toy_forward(void *self, size_t phase, double *losses,
                                   const struct scp_values *models, uint64_t step,
                                   const struct scp_control *control) {
    struct toy *toy = self;
    (void)control;
    CHECK(phase == 0);
    toy->step = step;
    for (int i = 0; i < 4; i++)
        losses[0] += pow((double)models[0].parameters[i] - (double)step, 2) / 2;
    losses[1] = step == toy->poison ? (double)NAN : pow((double)models[1].parameters[0] - 1, 2) / 2;
    models[0].state[0] += 1;
    CHECK(models[0].gradients != NULL && models[2].gradients == NULL);
    CHECK((models[1].gradients != NULL) == (step % 2 == 0));
    return SCP_OK;
}

static enum scp_status toy_backward(void *self, size_t phase, const struct scp_values *models,
                                    const struct scp_control *control) {
    const struct toy *toy = self;
    (void)phase, (void)control;
    for (int i = 0; i < 4; i++)
        models[0].gradients[i] += models[0].parameters[i] - (float)toy->step;
    if (models[1].gradients) models[1].gradients[0] += models[1].parameters[0] - 1;
    return SCP_OK;
}

static void toy_free(void *self) {
    *((struct toy *)self)->freed += 1;
}

#define NO_STEP UINT64_MAX

static struct scp_training toy_training(struct toy *self) {
    return (struct scp_training){
        .models =
            {{.name = "net", .parameters = 4, .state = 1},
             {.name = "free", .parameters = 1},
             {.name = "teacher", .parameters = 4, .is_teacher = 1, .student = 0, .momentum = 0.75}},
        .groups =
            {{.name = "net",
              .model = 0,
              .first = 2,
              .count = 2,
              .optimiser = {.kind = SCP_SGD, .momentum = 0.5f, .weight_decay = 0.25f},
              .rate = 2,
              .phases = 1,
              .every = 1},
             {.name = "free",
              .model = 1,
              .count = 1,
              .optimiser = {.kind = SCP_ADAM, .beta1 = 0.5f, .beta2 = 0.75f, .epsilon = 1e-3f},
              .rate = 1,
              .phases = 1,
              .every = 2}},
        .n_models = 3,
        .n_groups = 2,
        .phases = 1,
        .losses = 2,
        .bytes = sizeof *self,
        .self = self,
        .forward = toy_forward,
        .backward = toy_backward,
        .free = toy_free};
}

#define TOY_NUMBERS 16

/* Arrays of any training of at most TOY_NUMBERS numbers, one after the other. */
static size_t spread(float **arrays, float *numbers, const struct scp_training *training) {
    struct scp_array rows[SCP_TRAIN_MAX_ARRAYS];
    const size_t n = scp_training_arrays(rows, training);
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        arrays[i] = numbers + at;
        at += rows[i].length;
    }
    CHECK(at <= TOY_NUMBERS);
    return n;
}

static void toy(void) {
    int freed = 0;
    struct toy self = {.poison = NO_STEP, .freed = &freed};
    const struct scp_training training = toy_training(&self);
    struct scp_trainer *trainer = NULL;
    struct scp_array rows[SCP_TRAIN_MAX_ARRAYS];
    float numbers[TOY_NUMBERS] = {1, 2, 3, 4, [5] = 5, [6] = 1, 2, 3, 4}, *arrays[32];
    double losses[8], rates[4] = {0.25, 0.125, 0.0625, 0.03125};
    static const char *const names[] = {
        "net.parameters", "net.state",          "free.parameters",
        "free.state",     "teacher.parameters", "teacher.state",
        "net.velocity",   "free.first_moment",  "free.second_moment"};
    size_t done = 0;
    CHECK(spread(arrays, numbers, &training) == 9 && scp_training_arrays(rows, &training) == 9);
    for (int i = 0; i < 9; i++) CHECK(strcmp(rows[i].name, names[i]) == 0);
    CHECK(scp_trainer_create(&trainer, &training) == SCP_OK);
    CHECK(scp_training_bytes(&training) > 5 * sizeof(float));
    CHECK(scp_trainer_run(trainer, losses, &done, arrays, 0, rates, 4, NULL) == SCP_OK);
    CHECK(done == 4 && losses[0] == 15 && losses[1] == 8);

    double w[4] = {1, 2, 3, 4}, velocity[4] = {0}, f = 5, m = 0, v = 0, teacher[4] = {1, 2, 3, 4};
    for (int s = 0; s < 4; s++) {
        for (int i = 2; i < 4; i++) {
            velocity[i] = 0.5 * velocity[i] + (w[i] - s + 0.25 * w[i]);
            w[i] -= 2 * rates[s] * velocity[i];
        }
        if (s % 2 == 0) {
            const double g = f - 1, t = s / 2 + 1;
            m = 0.5 * m + 0.5 * g;
            v = 0.75 * v + 0.25 * g * g;
            f -= rates[s] * (m / (1 - pow(0.5, t))) / (sqrt(v / (1 - pow(0.75, t))) + 1e-3);
        }
        for (int i = 0; i < 4; i++) teacher[i] = 0.75 * teacher[i] + 0.25 * w[i];
    }
    for (int i = 0; i < 4; i++) {
        CHECK(fabs((double)arrays[0][i] - w[i]) < 1e-5);
        CHECK(fabs((double)arrays[4][i] - teacher[i]) < 1e-5);
    }
    CHECK(arrays[0][0] == 1 && arrays[0][1] == 2 && arrays[1][0] == 4);
    CHECK(fabs((double)arrays[2][0] - f) < 1e-5 && f < 5);
    CHECK(fabs((double)arrays[6][0] - velocity[2]) < 1e-5);

    /* A loss that is not finite: nothing has moved. */
    float before[TOY_NUMBERS];
    memcpy(before, numbers, sizeof before);
    self.poison = 5;
    CHECK(scp_trainer_run(trainer, losses, &done, arrays, 5, rates, 3, NULL) == SCP_OK);
    CHECK(done == 0 && isfinite(losses[0]) && isnan(losses[1]));
    before[4] += 1; /* the state of the network: its statistics may have moved */
    CHECK(memcmp(before, numbers, sizeof before) == 0);
    scp_trainer_free(trainer);
    CHECK(freed == 1);
}

/* In parts or at once, by trainers of their own: the same bits. */
static void resumed(void) {
    int freed = 0;
    struct toy self = {.poison = NO_STEP, .freed = &freed};
    const struct scp_training training = toy_training(&self);
    const float start[TOY_NUMBERS] = {1, 2, 3, 4, [5] = 5, [6] = 1, 2, 3, 4};
    float whole[TOY_NUMBERS], parts[TOY_NUMBERS], *arrays[32];
    double losses[20], rates[10];
    size_t done = 0;
    for (int i = 0; i < 10; i++) rates[i] = 0.1 / (i + 1);
    for (size_t cut = 0; cut <= 10; cut++) {
        float *numbers = cut == 0 ? whole : parts;
        memcpy(numbers, start, sizeof start);
        spread(arrays, numbers, &training);
        for (size_t part = 0; part < 2; part++) {
            struct scp_trainer *trainer = NULL;
            const size_t first = part == 0 ? 0 : cut, count = part == 0 ? cut : 10 - cut;
            CHECK(scp_trainer_create(&trainer, &training) == SCP_OK);
            CHECK(scp_trainer_run(trainer, losses, &done, arrays, first, rates + first, count,
                                  NULL) == SCP_OK);
            CHECK(done == count);
            scp_trainer_free(trainer);
        }
        CHECK(cut == 0 || memcmp(whole, parts, sizeof whole) == 0);
    }
    CHECK(freed == 22);
}

/* Two that play against each other, each with an optimiser and a phase of its own: x lowers x * y,
 * then y, which sees the new x, raises it. In step `poison` the second loss is not a number, when x
 * has already moved. */
static enum scp_status rivals_forward(void *self, size_t phase, double *losses,
                                      const struct scp_values *models, uint64_t step,
                                      const struct scp_control *control) {
    const struct toy *toy = self;
    const double product = (double)models[0].parameters[0] * (double)models[1].parameters[0];
    (void)control;
    CHECK((models[phase].gradients != NULL) && models[1 - phase].gradients == NULL);
    losses[phase] = phase == 0 ? product : step == toy->poison ? (double)NAN : -product;
    models[phase].state[0] += 1;
    return SCP_OK;
}

static enum scp_status rivals_backward(void *self, size_t phase, const struct scp_values *models,
                                       const struct scp_control *control) {
    (void)self, (void)control;
    const float other = models[1 - phase].parameters[0];
    models[phase].gradients[0] += phase == 0 ? other : -other;
    return SCP_OK;
}

static void rivals(void) {
    int freed = 0;
    struct toy self = {.poison = 3, .freed = &freed};
    const struct scp_optimiser adam = {
        .kind = SCP_ADAM, .beta1 = 0.5f, .beta2 = 0.9f, .epsilon = 1};
    const struct scp_optimiser sgd = {.kind = SCP_SGD, .momentum = 0.5f, .nesterov = 1};
    struct scp_training training = {
        .models = {{.name = "x", .parameters = 1, .state = 1},
                   {.name = "y", .parameters = 1, .state = 1}},
        .groups = {{.name = "x", .count = 1, .optimiser = sgd, .rate = 1, .phases = 1, .every = 1},
                   {.name = "y",
                    .model = 1,
                    .count = 1,
                    .optimiser = adam,
                    .rate = 1,
                    .phases = 2,
                    .every = 1}},
        .n_models = 2,
        .n_groups = 2,
        .phases = 2,
        .losses = 2,
        .self = &self,
        .forward = rivals_forward,
        .backward = rivals_backward,
        .free = toy_free};
    struct scp_trainer *trainer = NULL;
    float numbers[TOY_NUMBERS] = {1, 0, 1}, *arrays[32], before[TOY_NUMBERS];
    const double rates[4] = {0.25, 0.25, 0.25, 0.25};
    double losses[8], x = 1, y = 1, velocity = 0, m = 0, v = 0;
    size_t done = 0;
    spread(arrays, numbers, &training);
    CHECK(scp_trainer_create(&trainer, &training) == SCP_OK);
    CHECK(scp_trainer_run(trainer, losses, &done, arrays, 0, rates, 3, NULL) == SCP_OK);
    for (int s = 0; s < 3; s++) {
        CHECK(fabs(losses[2 * s] - x * y) < 1e-5);
        velocity = 0.5 * velocity + y;
        x -= 0.25 * (y + 0.5 * velocity);
        CHECK(fabs(losses[2 * s + 1] + x * y) < 1e-5);
        m = 0.5 * m - 0.5 * x;
        v = 0.9 * v + 0.1 * x * x;
        y -= 0.25 * (m / (1 - pow(0.5, s + 1))) / (sqrt(v / (1 - pow(0.9, s + 1))) + 1);
    }
    CHECK(done == 3 && fabs((double)arrays[0][0] - x) < 1e-5);
    CHECK(fabs((double)arrays[2][0] - y) < 1e-5);
    memcpy(before, numbers, sizeof before);
    CHECK(scp_trainer_run(trainer, losses, &done, arrays, 3, rates, 1, NULL) == SCP_OK);
    CHECK(done == 0 && isfinite(losses[0]) && isnan(losses[1]));
    CHECK(memcmp(before, numbers, sizeof before) == 0);
    scp_trainer_free(trainer);

    const size_t held = scp_alloc_outstanding();
    for (uint64_t n = 1; n <= 5; n++) {
        scp_alloc_fail_at(n);
        const enum scp_status status = scp_trainer_create(&trainer, &training);
        scp_alloc_fail_at(0);
        CHECK(status == (n <= 4 ? SCP_ENOMEM : SCP_OK));
        if (status == SCP_OK) scp_trainer_free(trainer);
        CHECK(scp_alloc_outstanding() == held);
    }
    CHECK(freed == 6);
}

/* Trainings that contradict themselves are freed, not run. */
static void refused(void) {
    int freed = 0;
    struct toy self = {.poison = NO_STEP, .freed = &freed};
    struct scp_trainer *trainer = NULL;
    struct scp_training t;
#define REFUSE(field, value)                                                                       \
    t = toy_training(&self);                                                                       \
    t.field = value;                                                                               \
    CHECK(scp_trainer_create(&trainer, &t) == SCP_EINVAL)
    REFUSE(groups[0].count, 3); /* more than the model has */
    REFUSE(groups[0].model, 2); /* a teacher */
    REFUSE(groups[0].every, 0);
    REFUSE(groups[0].phases, 2); /* there is one phase */
    REFUSE(groups[1].rate, (double)NAN);
    REFUSE(models[2].student, 1); /* of another size */
    REFUSE(models[2].student, 2);
    REFUSE(models[2].momentum, 1.5);
    REFUSE(models[0].name, "a name that is so long that it leaves no room for what follows it");
    REFUSE(losses, 0);
    t = toy_training(&self);
    t.groups[1].model = 0;
    t.groups[1].first = 3; /* overlaps */
    CHECK(scp_trainer_create(&trainer, &t) == SCP_EINVAL);
    CHECK(freed == 11);
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

static struct scp_contrast_options contrast_options(void) {
    struct scp_contrast_options o;
    scp_options_default(&o, &scp_contrast_table);
    memset(o.view.strength, 0, sizeof o.view.strength);
    o.train.seed = 3;
    o.train.clip_norm = 1;
    o.batch = 2;
    o.points = 5;
    o.window = 3;
    o.view.strength[SCP_VIEW_IMAGE][SCP_ROTATION] = 10;
    o.view.strength[SCP_VIEW_IMAGE][SCP_NOISE] = 0.1f;
    o.view.strength[SCP_VIEW_CROP][SCP_ELASTIC] = 0.02f;
    o.view.strength[SCP_VIEW_CROP][SCP_BLUR] = 1;
    o.view.strength[SCP_VIEW_CROP][SCP_GAMMA] = 0.3f;
    o.view.strength[SCP_VIEW_CROP][SCP_SHADE_ADD] = 0.1f;
    return o;
}

/* Steps of a training of one network of at most 1024 parameters, from `start`. */
static enum scp_status steps_of(const struct scp_training *training, double *losses, size_t *done,
                                size_t steps, const float *start) {
    struct scp_trainer *trainer = NULL;
    struct scp_array rows[SCP_TRAIN_MAX_ARRAYS];
    float numbers[4][1024] = {{0}}, *arrays[4] = {numbers[0], numbers[1], numbers[2], numbers[3]};
    const double rates[4] = {1e-2, 1e-2, 1e-2, 1e-2};
    CHECK(scp_training_arrays(rows, training) == 4);
    CHECK(strcmp(rows[0].name, "parameters") == 0 && strcmp(rows[3].name, "second_moment") == 0);
    memcpy(numbers[0], start, rows[0].length * sizeof(float));
    enum scp_status status = scp_trainer_create(&trainer, training);
    if (status != SCP_OK) return status;
    status = scp_trainer_run(trainer, losses, done, arrays, 0, rates, steps, NULL);
    scp_trainer_free(trainer);
    return status;
}

static enum scp_status run(double *losses, size_t *done, const struct scp_graph *graph,
                           const struct scp_pool *pool, size_t steps, const float *start) {
    struct scp_training training;
    const struct scp_contrast_options o = contrast_options();
    enum scp_status status = scp_contrast_training(&training, graph, pool, &o, SCP_MAKE, NULL);
    if (status != SCP_OK) return status;
    return steps_of(&training, losses, done, steps, start);
}

static void contrast(void) {
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

/* Two steps by BYOL of the finest level; every array starts at numbers of its own. */
static enum scp_status run_byol(double *losses, size_t *done, const struct scp_graph *graph,
                                const struct scp_pool *pool) {
    static float numbers[SCP_TRAIN_MAX_ARRAYS][1024];
    float *arrays[SCP_TRAIN_MAX_ARRAYS];
    const double rates[2] = {1e-2, 1e-2};
    struct scp_training training;
    struct scp_trainer *trainer = NULL;
    struct scp_contrast_options o = contrast_options();
    struct scp_array rows[SCP_TRAIN_MAX_ARRAYS];
    o.objective = SCP_OBJECTIVE_BYOL;
    o.hidden = 6;
    enum scp_status status = scp_contrast_training(&training, graph, pool, &o, SCP_MAKE, NULL);
    if (status != SCP_OK) return status;
    const size_t n = scp_training_arrays(rows, &training);
    CHECK(training.n_models == 5 && training.losses == 1 && n == 10 + 2 * training.n_groups);
    for (size_t i = 0; i < n; i++) {
        arrays[i] = numbers[i];
        CHECK(rows[i].length <= 1024);
        memset(numbers[i], 0, sizeof numbers[i]);
        if (i < 10) fill(numbers[i], rows[i].length, (uint32_t)i);
    }
    status = scp_trainer_create(&trainer, &training);
    if (status != SCP_OK) return status;
    status = scp_trainer_run(trainer, losses, done, arrays, 0, rates, 2, NULL);
    scp_trainer_free(trainer);
    return status;
}

static void byol(void) {
    struct scp_graph *graph = NULL;
    size_t bad = 0, done = 0, failures = 0;
    float images[IMAGES * SIDE * SIDE];
    double losses[2], again[2];
    CHECK(scp_graph_create(&graph, &bad, layers, sizeof layers / sizeof layers[0]) == SCP_OK);
    if (!graph) return;
    fill(images, IMAGES * SIDE * SIDE, 8);
    for (size_t i = 0; i < IMAGES * SIDE * SIDE; i++) images[i] = (images[i] + 1) / 2;
    const struct scp_pool pool = {images, IMAGES, SIDE, SIDE};
    CHECK(scp_threads_set(1) == SCP_OK);
    CHECK(run_byol(losses, &done, graph, &pool) == SCP_OK && done == 2);
    CHECK(losses[0] > 0 && losses[0] < 100 && losses[1] > 0 && losses[1] < 100);
    CHECK(scp_threads_set(3) == SCP_OK);
    CHECK(run_byol(again, &done, graph, &pool) == SCP_OK);
    CHECK(memcmp(losses, again, sizeof losses) == 0);

    const size_t held = scp_alloc_outstanding();
    for (uint64_t n = 1; n < 1000; n++) {
        scp_alloc_fail_at(n);
        const enum scp_status status = run_byol(losses, &done, graph, &pool);
        scp_alloc_fail_at(0);
        CHECK(scp_alloc_outstanding() == held);
        if (status == SCP_OK) break;
        CHECK(status == SCP_ENOMEM);
        failures++;
    }
    CHECK(failures > 20 && failures < 999);
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

static enum scp_status refine(double *losses, size_t *done, const struct scp_graph *graph,
                              const struct scp_pool *pool, const struct scp_labels *labels,
                              size_t steps, const float *start) {
    struct scp_training training;
    struct scp_refine_options o;
    scp_options_default(&o, &scp_refine_table);
    memset(o.view.strength, 0, sizeof o.view.strength);
    o.train.seed = 3;
    o.train.clip_norm = 1;
    o.labelled = 1;
    o.pseudo = 2;
    o.inputs = SCP_INPUT_CENTRED;
    o.radius = 4.0 / SIDE;
    o.focal = 2;
    o.view.strength[0][SCP_ROTATION] = 10;
    o.view.strength[0][SCP_ELASTIC] = 0.02f;
    o.view.strength[0][SCP_NOISE] = 0.1f;
    enum scp_status status =
        scp_refine_training(&training, graph, pool, labels, &o, SCP_MAKE, NULL);
    if (status != SCP_OK) return status;
    return steps_of(&training, losses, done, steps, start);
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
    const struct scp_output output = {map, NULL, 8, 8, 6, 16};
    const struct scp_voting o[SCP_VOTES] = {{SCP_VOTE_COUNT, 9, 2, 2},
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
                scp_refine_vote(xy, confidence, &output, 2, 1, &o[kind], NULL);
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
    RUN(options);
    RUN(toy);
    RUN(resumed);
    RUN(rivals);
    RUN(refused);
    RUN(contrast);
    RUN(byol);
    RUN(refinement);
    RUN(votes);
    return test_end();
}
