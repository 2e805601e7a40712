// oneDNN's functions as pointers. dnnl.hpp is nothing but calls of the C functions; inside namespace dnnl the names below are found
// before those of the C functions, so that it compiles to calls through the pointers and nothing is linked.
#pragma once
#include <string>

#include "oneapi/dnnl/dnnl.h"

// The C functions that the parts of dnnl.hpp in use call. One that is missing here is an undefined symbol of the linker.
#define GDN_FUNCTIONS(F)                                \
  F(dnnl_dilated_convolution_backward_data_desc_init)    \
  F(dnnl_dilated_convolution_backward_weights_desc_init) \
  F(dnnl_dilated_convolution_forward_desc_init)          \
  F(dnnl_engine_create)                                  \
  F(dnnl_engine_destroy)                                 \
  F(dnnl_inner_product_backward_data_desc_init)          \
  F(dnnl_inner_product_backward_weights_desc_init)       \
  F(dnnl_inner_product_forward_desc_init)                \
  F(dnnl_memory_create)                                  \
  F(dnnl_memory_desc_equal)                              \
  F(dnnl_memory_desc_get_size)                           \
  F(dnnl_memory_desc_init_by_strides)                    \
  F(dnnl_memory_desc_init_by_tag)                        \
  F(dnnl_memory_destroy)                                 \
  F(dnnl_memory_get_data_handle)                         \
  F(dnnl_memory_get_engine)                              \
  F(dnnl_memory_get_memory_desc)                         \
  F(dnnl_memory_set_data_handle_v2)                      \
  F(dnnl_post_ops_append_eltwise)                        \
  F(dnnl_post_ops_create)                                \
  F(dnnl_post_ops_destroy)                               \
  F(dnnl_primitive_attr_create)                          \
  F(dnnl_primitive_attr_destroy)                         \
  F(dnnl_primitive_attr_set_post_ops)                    \
  F(dnnl_primitive_attr_set_scratchpad_mode)             \
  F(dnnl_primitive_create)                               \
  F(dnnl_primitive_desc_destroy)                         \
  F(dnnl_primitive_desc_iterator_create)                 \
  F(dnnl_primitive_desc_iterator_destroy)                \
  F(dnnl_primitive_desc_iterator_fetch)                  \
  F(dnnl_primitive_desc_query)                           \
  F(dnnl_primitive_desc_query_md)                        \
  F(dnnl_primitive_destroy)                              \
  F(dnnl_primitive_execute)                              \
  F(dnnl_reorder_primitive_desc_create)                  \
  F(dnnl_sgemm)                                          \
  F(dnnl_stream_create)                                  \
  F(dnnl_stream_destroy)

namespace dnnl {
#define GDN_DECLARE(name) extern decltype(&::name) name;
GDN_FUNCTIONS(GDN_DECLARE)
#undef GDN_DECLARE
}  // namespace dnnl

namespace gdn {

// load finds the functions in the library at path, and those of the thread pool that it brings along (parallel.h). It says what is
// wrong, or nothing.
std::string load(const char* path);

// set_threads is how many threads the calling thread may use from now on.
void set_threads(int n);

}  // namespace gdn
