/* The objective that the paper's results were made with: negatives from a window, the coarsest
 * level whole, and a handicap for negatives that grows with their distance. */
#include <math.h>

#include "contrast_objective.h"

static void around(size_t *first, size_t *end, size_t at, size_t cells, size_t size) {
    *first = at > cells ? at - cells : 0;
    *end = cells < size - at ? at + cells : size;
}

static void window(struct window *w, const struct scp_contrast_options *options, size_t level,
                   size_t height, size_t width, size_t row, size_t column) {
    const size_t cells = level == 0 ? SIZE_MAX : options->window;
    around(&w->top, &w->bottom, row, cells, height);
    around(&w->left, &w->right, column, cells, width);
}

static void bias(float *logits, const struct scp_contrast_options *options, const struct window *w,
                 size_t y, size_t row, size_t column) {
    const float dy = (float)y - (float)row, dy2 = dy * dy;
    const float slope = (float)options->margin / (float)options->temperature;
    const float limit = (float)options->margin_limit / (float)options->temperature;
    for (size_t x = w->left; x < w->right; x++) {
        const float dx = (float)x - (float)column;
        const float handicap = slope * sqrtf(dx * dx + dy2);
        logits[x - w->left] += handicap < limit ? handicap : limit;
    }
}

const struct objective objective_windowed = {window, bias};
