/* What a step of instance classification is: crops of images through one encoder and two
 * classifiers, which are to name the image and to differ otherwise. */
#include <math.h>
#include <string.h>

#include "../nn/graph.h"
#include "scp/active.h"
#include "scp/alloc.h"
#include "view.h"

enum { ENCODER = 0, FIRST, SECOND, MODELS };
enum { HEADS = 2 };
enum { APART = 2 }; /* the losses before: those of the heads */

struct instances {
    struct scp_pool pool;
    struct scp_instances_options options;
    size_t channels, classes, width; /* of images, of answers, of the code */
    struct scp_plan *encoder, *heads[HEADS];
    struct scp_output code, answers[HEADS];
    uint32_t *order, *sources;
    float *views, *codes, *back; /* codes, back: [batch][width] */
};

static void release(void *self) {
    struct instances *s = self;
    if (!s) return;
    scp_plan_free(s->encoder);
    for (int h = 0; h < HEADS; h++) scp_plan_free(s->heads[h]);
    scp_free(s->order);
    scp_free(s->sources);
    scp_free(s->views);
    scp_free(s->codes);
    scp_free(s->back);
    scp_free(s);
}

/* ---- a step ---- */

/* Losses, and gradients at the logarithms that the heads gave. */
static void objective(const struct instances *s, double *losses) {
    const size_t batch = s->options.batch;
    const float share = 1 / (float)batch, weight = (float)s->options.discrepancy * share;
    for (size_t i = 0; i < batch; i++) {
        const float *p = s->answers[0].values + i * s->answers[0].stride;
        const float *q = s->answers[1].values + i * s->answers[1].stride;
        float *dp = s->answers[0].gradient + i * s->answers[0].stride;
        float *dq = s->answers[1].gradient + i * s->answers[1].stride;
        double apart = 0;
        memset(dp, 0, s->answers[0].stride * sizeof *dp);
        memset(dq, 0, s->answers[1].stride * sizeof *dq);
        for (size_t c = 0; c < s->classes; c++) {
            const float a = expf(p[c]), b = expf(q[c]);
            const float sign = a > b ? weight : a < b ? -weight : 0;
            dp[c] = -sign * a;
            dq[c] = sign * b;
            apart += fabs((double)a - (double)b);
        }
        dp[s->sources[i]] -= share;
        dq[s->sources[i]] -= share;
        losses[0] -= (double)p[s->sources[i]] / (double)batch;
        losses[1] -= (double)q[s->sources[i]] / (double)batch;
        losses[APART] += apart / (double)batch;
    }
}

static enum scp_status forward(void *self, size_t phase, double *losses,
                               const struct scp_values *models, uint64_t step,
                               const struct scp_control *control) {
    struct instances *s = self;
    const size_t batch = s->options.batch;
    const uint64_t seed = s->options.train.seed;
    (void)phase;
    shuffled_passes(s->sources, s->order, s->pool.count, batch, seed, step);
    const struct scp_crops crops = {s->views, s->sources, batch, s->channels};
    enum scp_status status =
        scp_crops(&crops, &s->pool, &s->options.crop, seed, step * batch, control);
    if (status == SCP_OK)
        status = scp_plan_forward(s->encoder, models[ENCODER].parameters, models[ENCODER].state,
                                  s->views, seed, step, control);
    if (status != SCP_OK) return status;
    for (size_t i = 0; i < batch; i++)
        memcpy(s->codes + i * s->width, s->code.values + i * s->code.stride,
               s->width * sizeof *s->codes);
    for (int h = 0; status == SCP_OK && h < HEADS; h++)
        status = scp_plan_forward(s->heads[h], models[FIRST + h].parameters,
                                  models[FIRST + h].state, s->codes, seed, step, control);
    if (status == SCP_OK) objective(s, losses);
    return status;
}

static enum scp_status backward(void *self, size_t phase, const struct scp_values *models,
                                const struct scp_control *control) {
    struct instances *s = self;
    const size_t batch = s->options.batch;
    (void)phase;
    memset(s->code.gradient, 0, batch * s->code.stride * sizeof(float));
    for (int h = 0; h < HEADS; h++) {
        const struct scp_values *head = &models[FIRST + h];
        const enum scp_status status =
            scp_plan_backward(s->heads[h], head->gradients, s->back, head->parameters, control);
        if (status != SCP_OK) return status;
        for (size_t i = 0; i < batch; i++)
            for (size_t c = 0; c < s->width; c++)
                s->code.gradient[i * s->code.stride + c] += s->back[i * s->width + c];
    }
    return scp_plan_backward(s->encoder, models[ENCODER].gradients, NULL,
                             models[ENCODER].parameters, control);
}

/* ---- making one ---- */

static enum scp_status make_plan(struct scp_plan **plan, size_t *bytes,
                                 const struct scp_graph *graph, const char *name,
                                 const size_t batch_and_side[2], enum scp_making making,
                                 const struct scp_control *control) {
    size_t held = 0, bad = 0;
    const enum scp_status status =
        scp_plan_create(making == SCP_MAKE ? plan : NULL, &held, &bad, graph, batch_and_side[0],
                        batch_and_side[1], batch_and_side[1], SCP_PLAN_TRAIN);
    if (status == SCP_EINVAL)
        return scp_invalid(control, name, SCP_WHOLE, "has a layer that does not fit");
    *bytes += held;
    return status;
}

static enum scp_status make_plans(struct instances *s, size_t *bytes,
                                  const struct scp_graph *encoder, const struct scp_graph *head,
                                  enum scp_making making, const struct scp_control *control) {
    const size_t image[2] = {s->options.batch, s->options.crop.size};
    const size_t vector[2] = {s->options.batch, 1};
    enum scp_status status =
        make_plan(&s->encoder, bytes, encoder, "encoder", image, making, control);
    for (int h = 0; status == SCP_OK && h < HEADS; h++)
        status = make_plan(&s->heads[h], bytes, head, "head", vector, making, control);
    if (status != SCP_OK || making == SCP_MEASURE) return status;
    scp_plan_output(&s->code, s->encoder, 0);
    for (int h = 0; h < HEADS; h++) scp_plan_output(&s->answers[h], s->heads[h], 0);
    if (s->code.height != 1 || s->code.width != 1 || s->code.channels != s->width)
        return scp_invalid(control, "encoder", SCP_WHOLE,
                           "must give one pixel of what the head reads");
    if (s->answers[0].height != 1 || s->answers[0].width != 1 ||
        s->answers[0].channels != s->classes)
        return scp_invalid(control, "head", SCP_WHOLE, "must give a number for each image");
    return SCP_OK;
}

static enum scp_status make_buffers(struct instances *s) {
    const size_t batch = s->options.batch, size = s->options.crop.size;
    s->order = scp_alloc(s->pool.count, sizeof *s->order);
    s->sources = scp_alloc(batch, sizeof *s->sources);
    s->views = scp_alloc(batch * size * size, s->channels * sizeof *s->views);
    s->codes = scp_alloc(batch * s->width, sizeof *s->codes);
    s->back = scp_alloc(batch * s->width, sizeof *s->back);
    return s->order && s->sources && s->views && s->codes && s->back ? SCP_OK : SCP_ENOMEM;
}

static size_t buffer_bytes(const struct instances *s) {
    const size_t batch = s->options.batch, size = s->options.crop.size;
    return (s->pool.count + batch) * sizeof(uint32_t) +
           batch * (size * (size * s->channels + s->pool.height) + 2 * s->width) * sizeof(float);
}

static void add_models(struct scp_training *t, const struct scp_graph *encoder,
                       const struct scp_graph *head, const struct scp_train_options *options) {
    static const char *const names[MODELS] = {"encoder", "first", "second"};
    for (size_t m = 0; m < MODELS; m++) {
        const struct scp_graph *graph = m == ENCODER ? encoder : head;
        t->models[m] = (struct scp_model){
            .name = names[m], .parameters = graph->n_parameters, .state = graph->n_state};
        t->groups[m] = (struct scp_group){.name = names[m],
                                          .model = m,
                                          .count = graph->n_parameters,
                                          .rate = 1,
                                          .phases = 1,
                                          .every = 1};
        scp_optimiser_of(&t->groups[m].optimiser, options);
    }
    t->n_models = t->n_groups = MODELS;
    t->phases = 1;
}

enum scp_status scp_instances_training(struct scp_training *training,
                                       const struct scp_graph *encoder,
                                       const struct scp_graph *head, const struct scp_pool *pool,
                                       const struct scp_instances_options *options,
                                       enum scp_making making, const struct scp_control *control) {
    enum scp_status status = scp_options_check(&scp_instances_table, options, control);
    if (status != SCP_OK) return status;
    if (pool->count < 2)
        return scp_invalid(control, "pool", SCP_SHAPE, "must hold 2 images at least");
    if (encoder->n_outputs != 1 || head->n_outputs != 1)
        return scp_invalid(control, "graph", SCP_WHOLE, "must have one output");
    struct instances *s = scp_calloc(1, sizeof *s);
    if (!s) return SCP_ENOMEM;
    *s = (struct instances){.pool = *pool,
                            .options = *options,
                            .channels = encoder->channels[0],
                            .classes = pool->count,
                            .width = head->channels[0]};
    *training = (struct scp_training){.losses = SCP_INSTANCES_LOSSES,
                                      .bytes = sizeof *s + buffer_bytes(s),
                                      .forward = forward,
                                      .backward = backward,
                                      .free = release};
    add_models(training, encoder, head, &options->train);
    status = make_plans(s, &training->bytes, encoder, head, making, control);
    if (status == SCP_OK && making == SCP_MAKE) status = make_buffers(s);
    if (status == SCP_OK && making == SCP_MAKE)
        training->self = s;
    else
        release(s);
    return status;
}
