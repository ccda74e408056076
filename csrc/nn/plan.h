/* A plan: the graph lowered to stages over values.
 *
 * A value is a map in memory with the norm and activation that its readers apply (map.h); a stage
 * computes the raw floats of one value. Norms and activations cost no stage where they can be
 * deferred to the readers of the value before them: where nobody else reads it and it has no
 * activation yet (a norm: no norm either). Elsewhere a COPY stage applies what is deferred first. A
 * CONCAT takes its inputs into its own memory where their channels fall on whole vectors, as
 * slices.
 *
 * Time. Forward stage i runs at time i, the caller looks at the outputs at time S (the number of
 * stages), backward stage i runs at time 2S - i. Buffers never alive together share memory. */
#ifndef SCP_NN_PLAN_H
#define SCP_NN_PLAN_H

#include "graph.h"
#include "pass.h"

/* The stage that no layer asks for; the others bear the operators of their layers. */
#define SCP_STAGE_COPY SCP_OP_COUNT

/* Coefficients of a value: arrays of [images][lanes] floats, one after the other. */
enum scp_coef { SCP_SCALE, SCP_SHIFT, SCP_SLOPE, SCP_CENTRE, SCP_A, SCP_B, SCP_C, SCP_COEFS };

struct scp_value {
    struct scp_map map, grad;   /* grad.data NULL: none */
    size_t offset, grad_offset; /* floats into the slab (roots) */
    size_t root, first_channel; /* the value whose memory it lies in (itself: its own) */
    size_t stage;               /* that computes it */
    size_t last_use;            /* the last stage that reads it */
    int norm;                   /* SCP_OP_BATCH_NORM, SCP_OP_INSTANCE_NORM or 0 */
    size_t norm_layer;
    int active;  /* has an activation */
    float slope; /* of it */
    int is_output, has_slices, zero_first;
    size_t images; /* sets of coefficients: 1, or the batch (instance norm) */
    int deferred;  /* has coefficients */
    float *coefs;  /* of scale; array k lies k * coef_step floats further */
    size_t coef_step, image_step;
};

struct scp_stage {
    enum scp_op op;
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
    struct scp_stage *stages;
    size_t n_values, n_stages;
    size_t *outputs;       /* value of each output */
    unsigned char *frozen; /* [layers]: their parameters do not move */
    float *slab;
    size_t slab_floats, workspace_floats, threads;
    float *workspace;
    double *statistics; /* [2][largest images * stride of a value with a norm] */
    uint64_t seed;      /* of the last forward, for dropout */
    int ready;          /* a forward has run */
};

/* How stages read the value and its gradient. */
struct scp_source scp_value_source(const struct scp_value *value);
struct scp_source scp_value_gradient(const struct scp_value *value);
static inline float *scp_value_coef(const struct scp_value *value, enum scp_coef which) {
    return value->coefs + which * value->coef_step;
}

/* Of all passes of a stage: its first input and the numbers of its layer. */
struct scp_pass scp_stage_pass(const struct scp_plan *plan, const struct scp_stage *stage);

/* The channels of a CONCAT's value or gradient that input k fills. */
struct scp_map scp_concat_part(const struct scp_plan *plan, const struct scp_stage *stage, size_t k,
                               const struct scp_map *whole);

#endif
