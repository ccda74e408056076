/* What a step of VAAL is: some moves of an autoencoder that also tries to make the discriminator
 * take all images for labelled, then one of the discriminator, on the images of the last move. */
#include <math.h>
#include <string.h>

#include "../nn/graph.h"
#include "scp/active.h"
#include "scp/alloc.h"
#include "scp/random.h"
#include "view.h"

#define LABELLED_KEY 0x5343505f4c41424cu
#define UNLABELLED_KEY 0x5343505f554e4c42u
#define LATENT_KEY 0x5343505f4c4154u

enum { ENCODER = 0, DECODER, DISCRIMINATOR, MODELS };
enum { LABELLED = 0, UNLABELLED, KINDS };
enum { RECONSTRUCTION = 0, DIVERGENCE, ADVERSARY, JUDGED };

/* Images of one kind on their way: [batch] each. */
struct branch {
    const uint32_t *rows; /* [count] of the pool */
    size_t count;
    uint32_t *order, *sources; /* a shuffled pass and scratch [2][count]; [batch] */
    struct scp_plan *plans[MODELS];
    struct scp_output code, image, logit;
    float *views, *normal, *mean, *latent; /* [batch][..]: latent numbers; in the last, and a 1 */
};

struct vaal {
    struct scp_pool pool;
    struct scp_vaal_options options;
    struct branch branches[KINDS];
    size_t latent, channels, unused; /* unused: parameters of the discriminator */
    float *back, *judged;            /* gradients at z and its 1, at the means */
    float *unmoved; /* gradients of the discriminator where it does not move, not read */
};

static void release(void *self) {
    struct vaal *v = self;
    if (!v) return;
    for (int kind = 0; kind < KINDS; kind++) {
        struct branch *b = &v->branches[kind];
        for (int m = 0; m < MODELS; m++) scp_plan_free(b->plans[m]);
        scp_free(b->order);
        scp_free(b->sources);
        scp_free(b->views);
        scp_free(b->normal);
        scp_free(b->latent);
        scp_free(b->mean);
    }
    scp_free(v->back);
    scp_free(v->judged);
    scp_free(v->unmoved);
    scp_free(v);
}

/* ---- a move ---- */

/* Views of batch `number` of a kind, and what its latents are drawn by. */
static enum scp_status sample(struct vaal *v, int kind, uint64_t number,
                              const struct scp_control *control) {
    static const uint64_t keys[KINDS] = {LABELLED_KEY, UNLABELLED_KEY};
    struct branch *b = &v->branches[kind];
    const size_t batch = v->options.batch, whole = b->count / batch;
    const uint64_t seed = v->options.train.seed, stream = number * KINDS + (uint64_t)kind;
    const size_t first = (size_t)(number % whole) * batch;
    shuffled_passes(b->order, b->order + b->count, b->count, b->count, seed ^ keys[kind],
                    number / whole);
    for (size_t i = 0; i < batch; i++) b->sources[i] = b->rows[b->order[first + i]];
    struct scp_rng rng;
    scp_rng_init(&rng, seed ^ LATENT_KEY, stream);
    for (size_t i = 0; i < batch * v->latent; i++) b->normal[i] = (float)view_normal(&rng);
    const struct scp_crops crops = {b->views, b->sources, batch, v->channels};
    return scp_crops(&crops, &v->pool, &v->options.crop, seed, stream * batch, control);
}

static const float *code_of(const struct branch *b, size_t item) {
    return b->code.values + item * b->code.stride;
}

static enum scp_status encode(struct vaal *v, struct branch *b, const struct scp_values *models,
                              const struct scp_control *control) {
    const enum scp_status status = scp_plan_forward(b->plans[ENCODER], models[ENCODER].parameters,
                                                    models[ENCODER].state, b->views, 0, 0, control);
    for (size_t i = 0; status == SCP_OK && i < v->options.batch; i++)
        memcpy(b->mean + i * v->latent, code_of(b, i), v->latent * sizeof *b->mean);
    return status;
}

static enum scp_status judge(struct branch *b, const struct scp_values *models,
                             const struct scp_control *control) {
    return scp_plan_forward(b->plans[DISCRIMINATOR], models[DISCRIMINATOR].parameters,
                            models[DISCRIMINATOR].state, b->mean, 0, 0, control);
}

/* Mean of - log(labelled ? D : 1 - D), and its gradient times `weight`. */
static double judged(const struct vaal *v, struct branch *b, int labelled, double weight) {
    const size_t batch = v->options.batch;
    double sum = 0;
    memset(b->logit.gradient, 0, batch * b->logit.stride * sizeof(float));
    for (size_t i = 0; i < batch; i++) {
        const double logit = (double)b->logit.values[i * b->logit.stride];
        const double away = labelled ? -logit : logit; /* log(1 + exp(away)) */
        const double share = 1 / (1 + exp(-away));
        sum += away > 0 ? away + log1p(exp(-away)) : log1p(exp(away));
        b->logit.gradient[i * b->logit.stride] =
            (float)(weight * (labelled ? -share : share) / (double)batch);
    }
    return sum / (double)batch;
}

/* Mean squared difference from the views, and its gradient. */
static double reconstruction(const struct vaal *v, struct branch *b) {
    const struct scp_output *o = &b->image;
    const size_t pixels = v->options.batch * o->height * o->width;
    const double numbers = (double)(pixels * v->channels);
    const float scale = (float)(2 / numbers);
    double sum = 0;
    memset(o->gradient, 0, pixels * o->stride * sizeof(float));
    for (size_t i = 0; i < pixels; i++)
        for (size_t c = 0; c < v->channels; c++) {
            const float apart = o->values[i * o->stride + c] - b->views[i * v->channels + c];
            o->gradient[i * o->stride + c] = scale * apart;
            sum += (double)(apart * apart);
        }
    return sum / numbers;
}

/* Draws z; the divergence from a normal distribution, summed. */
static double draw_latent(const struct vaal *v, struct branch *b) {
    double sum = 0;
    for (size_t i = 0; i < v->options.batch; i++) {
        float *z = b->latent + i * (v->latent + 1);
        z[v->latent] = 1;
        for (size_t c = 0; c < v->latent; c++) {
            const float mean = code_of(b, i)[c], log_variance = code_of(b, i)[v->latent + c];
            z[c] = mean + expf(log_variance / 2) * b->normal[i * v->latent + c];
            sum +=
                (double)mean * (double)mean + exp((double)log_variance) - 1 - (double)log_variance;
        }
    }
    return sum / 2;
}

static enum scp_status forward(void *self, size_t phase, double *losses,
                               const struct scp_values *models, uint64_t step,
                               const struct scp_control *control) {
    struct vaal *v = self;
    const struct scp_vaal_options *o = &v->options;
    const int last = phase == o->moves;
    enum scp_status status = SCP_OK;
    if (!last) losses[RECONSTRUCTION] = losses[DIVERGENCE] = losses[ADVERSARY] = 0;
    for (int kind = 0; status == SCP_OK && kind < KINDS; kind++) {
        struct branch *b = &v->branches[kind];
        if (!last) status = sample(v, kind, step * o->moves + phase, control);
        if (status == SCP_OK) status = encode(v, b, models, control);
        if (status == SCP_OK) status = judge(b, models, control);
        if (status != SCP_OK) return status;
        if (last) {
            losses[JUDGED] += judged(v, b, kind == LABELLED, 1);
            continue;
        }
        losses[ADVERSARY] += judged(v, b, 1, o->adversary);
        losses[DIVERGENCE] += draw_latent(v, b);
        status = scp_plan_forward(b->plans[DECODER], models[DECODER].parameters,
                                  models[DECODER].state, b->latent, 0, 0, control);
        if (status == SCP_OK) losses[RECONSTRUCTION] += reconstruction(v, b);
    }
    return status;
}

/* The gradient at the code, from those at z and at the mean that was judged. */
static void code_gradient(const struct vaal *v, struct branch *b) {
    const float beta = (float)v->options.beta;
    memset(b->code.gradient, 0, v->options.batch * b->code.stride * sizeof(float));
    for (size_t i = 0; i < v->options.batch; i++) {
        float *gradient = b->code.gradient + i * b->code.stride;
        const float *back = v->back + i * (v->latent + 1);
        for (size_t c = 0; c < v->latent; c++) {
            const size_t at = i * v->latent + c;
            const float mean = code_of(b, i)[c], log_variance = code_of(b, i)[v->latent + c];
            gradient[c] = back[c] + v->judged[at] + beta * mean;
            gradient[v->latent + c] = (back[c] * expf(log_variance / 2) * b->normal[at] +
                                       beta * (expf(log_variance) - 1)) /
                                      2;
        }
    }
}

static enum scp_status backward(void *self, size_t phase, const struct scp_values *models,
                                const struct scp_control *control) {
    struct vaal *v = self;
    const int last = phase == v->options.moves;
    enum scp_status status = SCP_OK;
    if (!last) memset(v->unmoved, 0, v->unused * sizeof *v->unmoved);
    for (int kind = 0; status == SCP_OK && kind < KINDS; kind++) {
        struct branch *b = &v->branches[kind];
        status = scp_plan_backward(
            b->plans[DISCRIMINATOR], last ? models[DISCRIMINATOR].gradients : v->unmoved,
            last ? NULL : v->judged, models[DISCRIMINATOR].parameters, control);
        if (last || status != SCP_OK) continue;
        status = scp_plan_backward(b->plans[DECODER], models[DECODER].gradients, v->back,
                                   models[DECODER].parameters, control);
        if (status != SCP_OK) continue;
        code_gradient(v, b);
        status = scp_plan_backward(b->plans[ENCODER], models[ENCODER].gradients, NULL,
                                   models[ENCODER].parameters, control);
    }
    return status;
}

/* ---- making one ---- */

static enum scp_status check(const struct scp_vaal_graphs *g, const struct scp_pool *pool,
                             const struct scp_vaal_rows *rows, const struct scp_vaal_options *o,
                             const struct scp_control *control) {
    const enum scp_status status = scp_options_check(&scp_vaal_table, o, control);
    if (status != SCP_OK) return status;
    if (o->batch > rows->n_labelled)
        return scp_invalid(control, "labelled", SCP_SHAPE, "must hold a batch of images at least");
    if (o->batch > rows->n_unlabelled)
        return scp_invalid(control, "unlabelled", SCP_SHAPE,
                           "must hold a batch of images at least");
    for (size_t i = 0; i < rows->n_labelled; i++)
        if (rows->labelled[i] >= pool->count)
            return scp_invalid(control, "labelled", i, "must be a row of the pool");
    for (size_t i = 0; i < rows->n_unlabelled; i++)
        if (rows->unlabelled[i] >= pool->count)
            return scp_invalid(control, "unlabelled", i, "must be a row of the pool");
    if (g->encoder->n_outputs != 1 || g->decoder->n_outputs != 1 ||
        g->discriminator->n_outputs != 1)
        return scp_invalid(control, "graph", SCP_WHOLE, "must have one output");
    if (g->discriminator->channels[0] + 1 != g->decoder->channels[0])
        return scp_invalid(control, "discriminator", SCP_WHOLE,
                           "must read one number less than the decoder");
    return SCP_OK;
}

/* The output fits what it is compared with. */
static int right(const struct scp_output *o, size_t side, size_t channels) {
    return o->height == side && o->width == side && o->channels == channels;
}

static enum scp_status make_plans(struct vaal *v, size_t *bytes, const struct scp_vaal_graphs *g,
                                  enum scp_making making, const struct scp_control *control) {
    static const char *const names[MODELS] = {"encoder", "decoder", "discriminator"};
    const struct scp_graph *const graphs[MODELS] = {g->encoder, g->decoder, g->discriminator};
    for (int m = 0; m < MODELS; m++) {
        const size_t side = m == ENCODER ? v->options.crop.size : 1;
        for (int kind = 0; kind < KINDS; kind++) {
            size_t plan = 0, bad = 0;
            const enum scp_status status =
                scp_plan_create(making == SCP_MAKE ? &v->branches[kind].plans[m] : NULL, &plan,
                                &bad, graphs[m], v->options.batch, side, side, SCP_PLAN_TRAIN);
            if (status == SCP_EINVAL)
                return scp_invalid(control, names[m], SCP_WHOLE, "has a layer that does not fit");
            if (status != SCP_OK) return status;
            *bytes += plan;
        }
    }
    for (int kind = 0; making == SCP_MAKE && kind < KINDS; kind++) {
        struct branch *b = &v->branches[kind];
        scp_plan_output(&b->code, b->plans[ENCODER], 0);
        scp_plan_output(&b->image, b->plans[DECODER], 0);
        scp_plan_output(&b->logit, b->plans[DISCRIMINATOR], 0);
        if (!right(&b->code, 1, 2 * v->latent))
            return scp_invalid(control, "encoder", SCP_WHOLE,
                               "must give one pixel of twice what the discriminator reads");
        if (!right(&b->image, v->options.crop.size, v->channels))
            return scp_invalid(control, "decoder", SCP_WHOLE, "must give what the encoder reads");
        if (!right(&b->logit, 1, 1))
            return scp_invalid(control, "discriminator", SCP_WHOLE, "must give one number");
    }
    return SCP_OK;
}

static size_t buffer_bytes(const struct vaal *v, const struct scp_vaal_rows *rows) {
    const size_t batch = v->options.batch, size = v->options.crop.size;
    const size_t views = batch * size * (size * v->channels + v->pool.height); /* and their lines */
    return 2 * (rows->n_labelled + rows->n_unlabelled + batch) * sizeof(uint32_t) +
           (2 * views + (8 * v->latent + 3) * batch + v->unused) * sizeof(float);
}

static enum scp_status make_buffers(struct vaal *v) {
    const size_t batch = v->options.batch, size = v->options.crop.size;
    for (int kind = 0; kind < KINDS; kind++) {
        struct branch *b = &v->branches[kind];
        b->order = scp_alloc(b->count, 2 * sizeof *b->order);
        b->sources = scp_alloc(batch, sizeof *b->sources);
        b->views = scp_alloc(batch * size * size, v->channels * sizeof *b->views);
        b->normal = scp_alloc(batch * v->latent, sizeof *b->normal);
        b->latent = scp_alloc(batch * (v->latent + 1), sizeof *b->latent);
        b->mean = scp_alloc(batch * v->latent, sizeof *b->mean);
        if (!b->order || !b->sources || !b->views || !b->normal || !b->latent || !b->mean)
            return SCP_ENOMEM;
    }
    v->back = scp_alloc(batch * (v->latent + 1), sizeof *v->back);
    v->judged = scp_alloc(batch * v->latent, sizeof *v->judged);
    v->unmoved = scp_alloc(v->unused, sizeof *v->unmoved);
    return v->back && v->judged && v->unmoved ? SCP_OK : SCP_ENOMEM;
}

static void add_models(struct scp_training *t, const struct scp_vaal_graphs *g,
                       const struct scp_vaal_options *o) {
    static const char *const names[MODELS] = {"encoder", "decoder", "discriminator"};
    const struct scp_graph *const graphs[MODELS] = {g->encoder, g->decoder, g->discriminator};
    const uint32_t moves = ((uint32_t)1 << o->moves) - 1;
    for (size_t m = 0; m < MODELS; m++) {
        t->models[m] = (struct scp_model){
            .name = names[m], .parameters = graphs[m]->n_parameters, .state = graphs[m]->n_state};
        t->groups[m] = (struct scp_group){.name = names[m],
                                          .model = m,
                                          .count = graphs[m]->n_parameters,
                                          .rate = 1,
                                          .phases = m == DISCRIMINATOR ? moves + 1 : moves,
                                          .every = 1};
        scp_optimiser_of(&t->groups[m].optimiser, &o->train);
    }
    t->n_models = t->n_groups = MODELS;
    t->phases = o->moves + 1;
}

enum scp_status scp_vaal_training(struct scp_training *training,
                                  const struct scp_vaal_graphs *graphs, const struct scp_pool *pool,
                                  const struct scp_vaal_rows *rows,
                                  const struct scp_vaal_options *options, enum scp_making making,
                                  const struct scp_control *control) {
    enum scp_status status = check(graphs, pool, rows, options, control);
    if (status != SCP_OK) return status;
    struct vaal *v = scp_calloc(1, sizeof *v);
    if (!v) return SCP_ENOMEM;
    *v = (struct vaal){.pool = *pool,
                       .options = *options,
                       .latent = graphs->discriminator->channels[0],
                       .channels = graphs->encoder->channels[0],
                       .unused = graphs->discriminator->n_parameters};
    v->branches[LABELLED].rows = rows->labelled;
    v->branches[LABELLED].count = rows->n_labelled;
    v->branches[UNLABELLED].rows = rows->unlabelled;
    v->branches[UNLABELLED].count = rows->n_unlabelled;
    *training = (struct scp_training){.losses = SCP_VAAL_LOSSES,
                                      .bytes = sizeof *v + buffer_bytes(v, rows),
                                      .forward = forward,
                                      .backward = backward,
                                      .free = release};
    add_models(training, graphs, options);
    status = make_plans(v, &training->bytes, graphs, making, control);
    if (status == SCP_OK && making == SCP_MAKE) status = make_buffers(v);
    if (status == SCP_OK && making == SCP_MAKE)
        training->self = v;
    else
        release(v);
    return status;
}
