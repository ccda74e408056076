/* A plan: the graph lowered to steps over values.
 *
 * A value is a map in memory with its pending transform; a step computes the raw floats of one
 * value. Norms and activations cost no step where they can become the pending transform of the
 * value before them: where nobody else reads it and it has no activation yet (a norm: no norm
 * either). Elsewhere a COPY step finishes the value first. A CONCAT takes its inputs into its own
 * memory where their channels fall on whole vectors: they become slices of it and are never copied.
 *
 * Time. Forward step i runs at time i, the caller looks at outputs at time S (the number of steps),
 * backward step i runs at time 2S - i. Buffers that are never alive together share memory. */
#ifndef SCP_NN_PLAN_H
#define SCP_NN_PLAN_H

#include "graph.h"

enum scp_step_op {
    SCP_STEP_CONV,
    SCP_STEP_COPY,
    SCP_STEP_POOL,
    SCP_STEP_RESIZE,
    SCP_STEP_CONCAT,
    SCP_STEP_ADD,
    SCP_STEP_MEAN,
    SCP_STEP_SIGMOID,
    SCP_STEP_TANH,
    SCP_STEP_DROPOUT,
};

/* Coefficients of a value: arrays of [images][lanes] floats, one after the other. */
enum scp_coef { SCP_SCALE, SCP_SHIFT, SCP_SLOPE, SCP_CENTRE, SCP_A, SCP_B, SCP_C, SCP_COEFS };

struct scp_value {
    struct scp_map map, grad;   /* grad.data NULL: none */
    size_t offset, grad_offset; /* floats into the slab (roots) */
    size_t root, first_channel; /* the value whose memory it lies in (itself: its own) */
    size_t step;                /* that computes it */
    size_t last_use;            /* the last step that reads it */
    int norm;                   /* SCP_OP_BATCH_NORM, SCP_OP_INSTANCE_NORM or 0 */
    size_t norm_layer;
    int active;  /* has an activation */
    float slope; /* of it */
    int is_output, has_slices, zero_first;
    size_t images; /* sets of coefficients: 1, or the batch (instance norm) */
    int pending;   /* has coefficients */
    float *coefs;  /* of scale; array k lies k * coef_step floats further */
    size_t coef_step, image_step;
};

struct scp_step {
    enum scp_step_op op;
    size_t layer, value, n_inputs;
    size_t inputs[SCP_LAYER_INPUTS];
    int accumulate[SCP_LAYER_INPUTS]; /* the input's gradient has something in it already */
};

struct scp_plan {
    const struct scp_graph *graph;
    int train;
    size_t batch, height, width;
    struct scp_shape *shapes; /* [layers] */
    size_t *value_of;         /* [layers] */
    struct scp_value *values;
    struct scp_step *steps;
    size_t n_values, n_steps;
    size_t *outputs; /* value of each output */
    float *slab;
    size_t slab_floats, workspace_floats, threads;
    float *workspace;
    double *statistics;  /* [2][largest images * stride of a value with a norm] */
    uint64_t seed, step; /* of the last forward, for dropout */
    int ready;           /* a forward has run */
};

/* The value's pending transform and pull for the calls of conv.h. */
struct scp_pending scp_value_pending(const struct scp_value *value);
struct scp_pull scp_value_pull(const struct scp_value *value);
static inline float *scp_value_coef(const struct scp_value *value, enum scp_coef which) {
    return value->coefs + which * value->coef_step;
}

/* memory.c: lifetimes, offsets, the slab's size; then the pointers into it. */
enum scp_status scp_plan_layout(struct scp_plan *plan);
enum scp_status scp_plan_bind(struct scp_plan *plan);

/* The channels of a CONCAT's value or gradient that input k fills. */
struct scp_map scp_concat_part(const struct scp_plan *plan, const struct scp_step *step, size_t k,
                               const struct scp_map *whole);

/* Grows the workspace to what the present number of threads needs. */
enum scp_status scp_plan_reserve(struct scp_plan *plan);

#endif
