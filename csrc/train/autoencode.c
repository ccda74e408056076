/* What a step of the adversarial auto-encoder is: encode and reconstruct once, then the players
 * move one after the other, each against what the others have become. */
#include "scp/autoencode.h"

#include <math.h>
#include <string.h>

#include "../nn/graph.h"
#include "scp/alloc.h"
#include "scp/random.h"

enum { LATENT_PHASE = 0, IMAGE_PHASE, CODE_PHASE, PHASES };
enum { RECONSTRUCTION = 0, STRUCTURE, LATENT_PLAYER, CODES, IMAGE_PLAYER, REAL_LOOK };
#define NORMAL_KEY 0x5343505f4e4f524du
#define TINY 1e-8

/* A network bound to a batch, its one output, and the gradient at its input. */
struct part {
    struct scp_plan *plan;
    struct scp_output out;
};

struct autoencode {
    const struct scp_graph *graphs[SCP_AUTOENCODE_NETWORKS];
    struct scp_faces faces;
    struct scp_autoencode_options options;
    struct part encoder, generator, latent[2], image[2]; /* real, made */
    struct scp_face_batch batch;
    float *codes, *noise, *code_gradient; /* [items][Z] */
    float *made, *back, *look;            /* [items][side][side][3] */
    size_t latent_size, pixels;           /* numbers of a code; of a picture */
    uint64_t step;
};

static void release(void *self) {
    struct autoencode *a = self;
    if (!a) return;
    struct part *const parts[] = {&a->encoder,   &a->generator, &a->latent[0],
                                  &a->latent[1], &a->image[0],  &a->image[1]};
    float *const floats[] = {a->batch.images, a->codes, a->noise, a->code_gradient,
                             a->made,         a->back,  a->look};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) scp_plan_free(parts[i]->plan);
    for (size_t i = 0; i < sizeof floats / sizeof *floats; i++) scp_free(floats[i]);
    scp_free(a->batch.sources);
    scp_free(a);
}

/* ---- between maps and dense arrays ---- */

static void take(float *dense, const struct scp_output *out, size_t items) {
    const size_t pixels = items * out->height * out->width;
    for (size_t i = 0; i < pixels; i++)
        memcpy(dense + i * out->channels, out->values + i * out->stride,
               out->channels * sizeof *dense);
}

static void give(const struct scp_output *out, const float *dense, size_t items) {
    const size_t pixels = items * out->height * out->width;
    memset(out->gradient, 0, pixels * out->stride * sizeof *dense);
    for (size_t i = 0; i < pixels; i++)
        memcpy(out->gradient + i * out->stride, dense + i * out->channels,
               out->channels * sizeof *dense);
}

/* ---- players ---- */

/* -mean log(p + tiny), or of 1 - p where it is called false; weight times its gradient in out. */
static double judge(const struct scp_output *out, size_t items, int is_true, double weight) {
    double sum = 0;
    memset(out->gradient, 0, items * out->stride * sizeof(float));
    for (size_t i = 0; i < items; i++) {
        const double p = (double)out->values[i * out->stride];
        const double q = (is_true ? p : 1 - p) + TINY;
        sum -= log(q);
        out->gradient[i * out->stride] = (float)((is_true ? -1 : 1) * weight / (q * (double)items));
    }
    return sum / (double)items;
}

/* Probability of a batch by a discriminator; dropout draws anew for each `use` in a step. */
static enum scp_status look_at(struct autoencode *a, struct part *part,
                               const struct scp_values *model, const float *batch, uint64_t use,
                               const struct scp_control *control) {
    const uint64_t seed = a->options.train.seed + use * 0xD1B54A32D192ED03u;
    return scp_plan_forward(part->plan, model->parameters, model->state, batch, seed, a->step,
                            control);
}

/* A discriminator tells real from made. */
static enum scp_status play(struct autoencode *a, struct part parts[2],
                            const struct scp_values *model, const float *real, const float *made,
                            double *loss, const struct scp_control *control) {
    const size_t items = a->batch.items;
    enum scp_status status = look_at(a, &parts[0], model, real, 1, control);
    if (status == SCP_OK) status = look_at(a, &parts[1], model, made, 2, control);
    if (status == SCP_OK)
        *loss = judge(&parts[0].out, items, 1, 1) + judge(&parts[1].out, items, 0, 1);
    return status;
}

static void draw_normal(struct autoencode *a) {
    const size_t n = a->batch.items * a->latent_size;
    struct scp_rng rng;
    scp_rng_init(&rng, a->options.train.seed ^ NORMAL_KEY, a->step);
    for (size_t i = 0; i < n; i += 2) { /* Box and Muller */
        const double radius = sqrt(-2 * log(1 - scp_rng_uniform(&rng)));
        const double angle = 6.283185307179586 * scp_rng_uniform(&rng);
        a->noise[i] = (float)(radius * cos(angle));
        if (i + 1 < n) a->noise[i + 1] = (float)(radius * sin(angle));
    }
}

/* ---- the curriculum ---- */

static int after(const struct autoencode *a, double passes) {
    return (double)a->step * (double)a->batch.items >= passes * (double)a->faces.count;
}

static int has_gan(const struct autoencode *a) {
    return a->options.gan_weight > 0 && after(a, a->options.gan_from);
}

static int has_structure(const struct autoencode *a) {
    return a->options.structure_weight > 0 && after(a, a->options.structure_from);
}

static int has_latent(const struct autoencode *a) {
    return a->options.latent_weight > 0 && a->step % a->options.latent_every == 0;
}

/* ---- a step ---- */

static enum scp_status reconstruct(struct autoencode *a, const struct scp_values *models,
                                   const struct scp_control *control) {
    const struct scp_values *q = &models[SCP_ENCODER], *p = &models[SCP_GENERATOR];
    enum scp_status status = scp_face_sample(&a->batch, &a->faces, NULL, &a->options.view,
                                             a->options.train.seed, a->step, control);
    if (status == SCP_OK) status = look_at(a, &a->encoder, q, a->batch.images, 0, control);
    if (status != SCP_OK) return status;
    take(a->codes, &a->encoder.out, a->batch.items);
    status = look_at(a, &a->generator, p, a->codes, 0, control);
    if (status == SCP_OK) take(a->made, &a->generator.out, a->batch.items);
    return status;
}

/* 255 mean |x - x^|, and its gradient in a->back. */
static double distance(struct autoencode *a, double weight) {
    const size_t n = a->batch.items * a->pixels;
    const float slope = (float)(255 * weight / (double)n);
    double sum = 0;
    for (size_t i = 0; i < n; i += a->pixels) {
        double part = 0;
        for (size_t k = i; k < i + a->pixels; k++) {
            const float apart = a->made[k] - a->batch.images[k];
            part += (double)fabsf(apart);
            a->back[k] = apart > 0 ? slope : apart < 0 ? -slope : 0;
        }
        sum += part;
    }
    return 255 * sum / (double)n;
}

/* Losses of encoder and generator; the gradient at the reconstructions is in a->back but for the
 * discriminator's part, whose backward is still to come. */
static enum scp_status code_losses(struct autoencode *a, double *losses,
                                   const struct scp_values *models,
                                   const struct scp_control *control) {
    const struct scp_autoencode_options *o = &a->options;
    const size_t items = a->batch.items;
    enum scp_status status = SCP_OK;
    losses[RECONSTRUCTION] = distance(a, has_structure(a) ? 0.5 : 1);
    if (has_structure(a))
        status = scp_structure(&losses[STRUCTURE], a->back, a->batch.images, a->made, items,
                               a->batch.side, 0.5 * o->structure_weight, control);
    if (status == SCP_OK && has_latent(a)) {
        status = look_at(a, &a->latent[1], &models[SCP_LATENT_DISCRIMINATOR], a->codes, 3, control);
        if (status == SCP_OK) losses[CODES] = judge(&a->latent[1].out, items, 1, o->latent_weight);
    }
    if (status == SCP_OK && has_gan(a)) {
        status = look_at(a, &a->image[1], &models[SCP_DISCRIMINATOR], a->made, 3, control);
        if (status == SCP_OK) losses[REAL_LOOK] = judge(&a->image[1].out, items, 1, o->gan_weight);
    }
    return status;
}

static enum scp_status forward(void *self, size_t phase, double *losses,
                               const struct scp_values *models, uint64_t step,
                               const struct scp_control *control) {
    struct autoencode *a = self;
    enum scp_status status = SCP_OK;
    a->step = step;
    if (phase == LATENT_PHASE) {
        status = reconstruct(a, models, control);
        if (status != SCP_OK || !models[SCP_LATENT_DISCRIMINATOR].gradients) return status;
        draw_normal(a);
        return play(a, a->latent, &models[SCP_LATENT_DISCRIMINATOR], a->noise, a->codes,
                    &losses[LATENT_PLAYER], control);
    }
    if (phase == CODE_PHASE) return code_losses(a, losses, models, control);
    if (!models[SCP_DISCRIMINATOR].gradients || !has_gan(a)) return status;
    return play(a, a->image, &models[SCP_DISCRIMINATOR], a->batch.images, a->made,
                &losses[IMAGE_PLAYER], control);
}

static enum scp_status play_backward(struct part parts[2], const struct scp_values *model,
                                     const struct scp_control *control) {
    enum scp_status status = SCP_OK;
    for (int k = 0; status == SCP_OK && k < 2; k++)
        status =
            scp_plan_backward(parts[k].plan, model->gradients, NULL, model->parameters, control);
    return status;
}

static void add(float *to, const float *from, size_t n) {
    for (size_t i = 0; i < n; i++) to[i] += from[i];
}

static enum scp_status code_backward(struct autoencode *a, const struct scp_values *models,
                                     const struct scp_control *control) {
    const struct scp_values *q = &models[SCP_ENCODER], *p = &models[SCP_GENERATOR];
    const size_t items = a->batch.items;
    enum scp_status status = SCP_OK;
    if (has_gan(a)) {
        status = scp_plan_backward(a->image[1].plan, NULL, a->look,
                                   models[SCP_DISCRIMINATOR].parameters, control);
        if (status != SCP_OK) return status;
        add(a->back, a->look, items * a->pixels);
    }
    give(&a->generator.out, a->back, items);
    status = scp_plan_backward(a->generator.plan, p->gradients, a->code_gradient, p->parameters,
                               control);
    if (status != SCP_OK) return status;
    if (has_latent(a)) {
        status = scp_plan_backward(a->latent[1].plan, NULL, a->noise,
                                   models[SCP_LATENT_DISCRIMINATOR].parameters, control);
        if (status != SCP_OK) return status;
        add(a->code_gradient, a->noise, items * a->latent_size);
    }
    give(&a->encoder.out, a->code_gradient, items);
    return scp_plan_backward(a->encoder.plan, q->gradients, NULL, q->parameters, control);
}

static enum scp_status backward(void *self, size_t phase, const struct scp_values *models,
                                const struct scp_control *control) {
    struct autoencode *a = self;
    if (phase == CODE_PHASE) return code_backward(a, models, control);
    if (phase == LATENT_PHASE)
        return models[SCP_LATENT_DISCRIMINATOR].gradients
                   ? play_backward(a->latent, &models[SCP_LATENT_DISCRIMINATOR], control)
                   : SCP_OK;
    if (!models[SCP_DISCRIMINATOR].gradients || !has_gan(a)) return SCP_OK;
    return play_backward(a->image, &models[SCP_DISCRIMINATOR], control);
}

/* ---- making one ---- */

static enum scp_status make_part(struct part *part, size_t *bytes, const struct scp_graph *graph,
                                 size_t items, size_t side, enum scp_making making,
                                 const struct scp_control *control) {
    size_t plan = 0, bad = 0;
    const enum scp_status status = scp_plan_create(making == SCP_MAKE ? &part->plan : NULL, &plan,
                                                   &bad, graph, items, side, side, SCP_PLAN_TRAIN);
    if (status == SCP_EINVAL)
        return scp_invalid(control, "layer", bad, "does not fit the size of its input");
    if (status != SCP_OK) return status;
    *bytes += plan;
    if (making == SCP_MAKE) scp_plan_output(&part->out, part->plan, 0);
    return SCP_OK;
}

static enum scp_status make_parts(struct autoencode *a, size_t *bytes, enum scp_making making,
                                  const struct scp_control *control) {
    struct {
        struct part *part;
        enum scp_autoencode_network network;
        size_t side;
    } const rows[] = {{&a->encoder, SCP_ENCODER, a->batch.side},
                      {&a->generator, SCP_GENERATOR, 1},
                      {&a->latent[0], SCP_LATENT_DISCRIMINATOR, 1},
                      {&a->latent[1], SCP_LATENT_DISCRIMINATOR, 1},
                      {&a->image[0], SCP_DISCRIMINATOR, a->batch.side},
                      {&a->image[1], SCP_DISCRIMINATOR, a->batch.side}};
    enum scp_status status = SCP_OK;
    for (size_t i = 0; status == SCP_OK && i < sizeof rows / sizeof *rows; i++)
        status = make_part(rows[i].part, bytes, a->graphs[rows[i].network], a->batch.items,
                           rows[i].side, making, control);
    if (status != SCP_OK || making == SCP_MEASURE) return status;
    if (a->encoder.out.height != 1 || a->encoder.out.width != 1)
        return scp_invalid(control, "encoder", SCP_WHOLE, "must give one vector");
    if (a->generator.out.height != a->batch.side || a->generator.out.width != a->batch.side)
        return scp_invalid(control, "generator", SCP_WHOLE, "must give pictures of that side");
    if (a->image[0].out.height != 1 || a->image[0].out.width != 1)
        return scp_invalid(control, "discriminator", SCP_WHOLE, "must give one number");
    return SCP_OK;
}

static enum scp_status make_floats(struct autoencode *a, size_t *bytes, enum scp_making making) {
    const size_t codes = a->batch.items * a->latent_size, pictures = a->batch.items * a->pixels;
    float **const small[] = {&a->codes, &a->noise, &a->code_gradient};
    float **const large[] = {&a->batch.images, &a->made, &a->back, &a->look};
    *bytes += (3 * codes + 4 * pictures) * sizeof(float) + a->batch.items * sizeof(uint32_t);
    *bytes += a->faces.count * sizeof(uint32_t) +
              scp_threads() * 9 * a->batch.side * a->batch.side * sizeof(float);
    if (making == SCP_MEASURE) return SCP_OK;
    a->batch.sources = scp_alloc(a->batch.items, sizeof *a->batch.sources);
    if (!a->batch.sources) return SCP_ENOMEM;
    for (int i = 0; i < 3; i++)
        if (!(*small[i] = scp_alloc(codes, sizeof(float)))) return SCP_ENOMEM;
    for (int i = 0; i < 4; i++)
        if (!(*large[i] = scp_alloc(pictures, sizeof(float)))) return SCP_ENOMEM;
    return SCP_OK;
}

static void add_models(struct scp_training *t, const struct autoencode *a) {
    static const char *const names[] = {"encoder", "generator", "latent_discriminator",
                                        "discriminator"};
    const struct scp_autoencode_options *o = &a->options;
    const struct scp_group rows[] = {
        {.phases = 1u << CODE_PHASE, .rate = 1, .every = 1},
        {.phases = 1u << CODE_PHASE, .rate = 1, .every = 1},
        {.phases = 1u << LATENT_PHASE, .rate = 1, .every = o->latent_discriminator_every},
        {.phases = 1u << IMAGE_PHASE,
         .rate = o->discriminator_rate,
         .every = o->discriminator_every}};
    for (size_t m = 0; m < SCP_AUTOENCODE_NETWORKS; m++) {
        t->models[m] = (struct scp_model){.name = names[m],
                                          .parameters = a->graphs[m]->n_parameters,
                                          .state = a->graphs[m]->n_state};
        t->groups[m] = rows[m];
        t->groups[m].name = names[m];
        t->groups[m].model = m;
        t->groups[m].count = a->graphs[m]->n_parameters;
        scp_optimiser_of(&t->groups[m].optimiser, &o->train);
    }
    t->n_models = t->n_groups = SCP_AUTOENCODE_NETWORKS;
    t->phases = PHASES;
}

static enum scp_status check(const struct autoencode *a, const struct scp_control *control) {
    static const char *const names[] = {"encoder", "generator", "latent_discriminator",
                                        "discriminator"};
    size_t in[SCP_AUTOENCODE_NETWORKS], out[SCP_AUTOENCODE_NETWORKS];
    for (size_t m = 0; m < SCP_AUTOENCODE_NETWORKS; m++) {
        const struct scp_graph *graph = a->graphs[m];
        if (graph->n_outputs != 1)
            return scp_invalid(control, names[m], SCP_WHOLE, "must have one output");
        in[m] = graph->channels[0];
        for (size_t i = 0; i < graph->count; i++)
            if (graph->layers[i].output) out[m] = graph->channels[i];
    }
    if (in[SCP_ENCODER] != SCP_FACE_CHANNELS || in[SCP_DISCRIMINATOR] != SCP_FACE_CHANNELS ||
        out[SCP_GENERATOR] != SCP_FACE_CHANNELS)
        return scp_invalid(control, "encoder, generator, discriminator", SCP_WHOLE,
                           "must see and make colour");
    if (in[SCP_GENERATOR] != out[SCP_ENCODER] || in[SCP_LATENT_DISCRIMINATOR] != out[SCP_ENCODER])
        return scp_invalid(control, "generator, latent_discriminator", SCP_WHOLE,
                           "must take what the encoder gives");
    if (out[SCP_DISCRIMINATOR] != 1 || out[SCP_LATENT_DISCRIMINATOR] != 1)
        return scp_invalid(control, "latent_discriminator, discriminator", SCP_WHOLE,
                           "must give one number");
    if (a->batch.side < SCP_STRUCTURE_WINDOW)
        return scp_invalid(control, "side", SCP_WHOLE, "must be at least 31");
    return SCP_OK;
}

enum scp_status scp_autoencode_training(struct scp_training *training,
                                        const struct scp_graph *const graphs[4], size_t side,
                                        const struct scp_faces *faces,
                                        const struct scp_autoencode_options *options,
                                        enum scp_making making, const struct scp_control *control) {
    enum scp_status status = scp_options_check(&scp_autoencode_table, options, control);
    if (status == SCP_OK) status = scp_faces_check(faces, NULL, side, control);
    if (status != SCP_OK) return status;
    struct autoencode *a = scp_calloc(1, sizeof *a);
    if (!a) return SCP_ENOMEM;
    *a = (struct autoencode){.faces = *faces,
                             .options = *options,
                             .batch = {.items = options->batch, .side = side},
                             .latent_size = graphs[SCP_GENERATOR]->channels[0],
                             .pixels = side * side * SCP_FACE_CHANNELS};
    memcpy(a->graphs, graphs, sizeof a->graphs);
    *training = (struct scp_training){.losses = SCP_AUTOENCODE_LOSSES,
                                      .bytes = sizeof *a,
                                      .forward = forward,
                                      .backward = backward,
                                      .free = release};
    status = check(a, control);
    if (status == SCP_OK) {
        add_models(training, a);
        status = make_parts(a, &training->bytes, making, control);
    }
    if (status == SCP_OK) status = make_floats(a, &training->bytes, making);
    if (status == SCP_OK && making == SCP_MAKE)
        training->self = a;
    else
        release(a);
    return status;
}
