/* Features without training: a dense pyramid of gradient-orientation descriptors, in the layout of
 * scp/grid.h.
 *
 * Level d has cells of s = 2^(D-d) pixels. The image is averaged over blocks of f x f pixels so
 * that a cell keeps r = min(s, 4) pixels a side. The gradient (central differences, borders
 * replicated) is projected on O = C / 16 evenly spaced directions and negative parts are cut: O
 * maps, each summed at the corners of the cells under a tent of half width r. The square roots of
 * the 4 x 4 corners around a cell, corner by corner and O numbers each, less their mean, are its C
 * channels: differences of edges in an area of 5 x 5 cells, indifferent to brightness and contrast.
 */
#ifndef SCP_GRADIENT_H
#define SCP_GRADIENT_H

#include <stddef.h>

#include "scp/grid.h"
#include "scp/threads.h"

/* features[n_images][cells of all levels][C], norms[n_images][cells of all levels] from
 * images[n_images][height << levels][width << levels], any finite range (radiographs: 0 to 1).
 * SCP_EINVAL: the grid is unusable (scp_grid_check), or a pixel is not finite. */
enum scp_status scp_gradient_pyramid(float *features, float *norms, const float *images,
                                     size_t n_images, const struct scp_grid *grid,
                                     const struct scp_control *control);

#endif
