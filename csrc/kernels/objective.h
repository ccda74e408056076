/* The leaf kernels of training's objective and its optimizer. Cells are vectors of `channels`
 * floats, channels % 16 == 0, `stride` floats apart; dot products have the order stated in dots.h.
 */
#ifndef SCP_KERNELS_OBJECTIVE_H
#define SCP_KERNELS_OBJECTIVE_H

#include <stddef.h>

/* Numbers of one Adam step; see scp/train.h. */
struct scp_adam_step {
    float rate;       /* learning rate / (1 - beta1^t) */
    float correction; /* 1 / (1 - beta2^t) */
    float beta1, beta2, epsilon, decay;
    float scale; /* of the gradient */
};

struct scp_objective_kernels {
    /* out[i] = <query, cell i>, i < count. */
    void (*dots)(float *out, const float *query, const float *cells, size_t stride, size_t count,
                 size_t channels);
    /* out[i] = |cell i|. */
    void (*norms)(float *out, const float *cells, size_t stride, size_t count, size_t channels);
    /* gradient_i += a[i] * query for all cells; sum += b[i] * cell_i, i ascending. */
    void (*backward)(float *gradients, float *sum, const float *query, const float *cells,
                     const float *a, const float *b, size_t stride, size_t count, size_t channels);
    /* gradient_i -= s[i] * cell_i. */
    void (*project)(float *gradients, const float *cells, const float *s, size_t stride,
                    size_t count, size_t channels);
    /* sum of x[i]^2, float64 in 8 lanes (coverage.h). */
    double (*squares)(const float *x, size_t n);
    /* g = scale * gradient + decay * p; m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g g;
     * p -= rate * m / (sqrt(v * correction) + epsilon). */
    void (*adam)(float *p, float *m, float *v, const float *gradients, size_t n,
                 const struct scp_adam_step *step);
};

#endif
