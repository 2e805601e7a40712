// The functions of libdnnl that are used, called through pointers: the library is loaded when a backend is made, so that a daemon
// that never trains neither needs nor maps it. dnnl.hpp, which is header-only over these, is compiled against the pointers.
#pragma once
#include <dlfcn.h>

#include <string>

#include "oneapi/dnnl/dnnl.h"

namespace library {

#define DNNL_USED(F) \
    F(dnnl_dilated_convolution_backward_data_desc_init) \
    F(dnnl_dilated_convolution_backward_weights_desc_init) \
    F(dnnl_dilated_convolution_forward_desc_init) \
    F(dnnl_engine_create) \
    F(dnnl_engine_destroy) \
    F(dnnl_inner_product_backward_data_desc_init) \
    F(dnnl_inner_product_backward_weights_desc_init) \
    F(dnnl_inner_product_forward_desc_init) \
    F(dnnl_memory_create) \
    F(dnnl_memory_desc_equal) \
    F(dnnl_memory_desc_get_size) \
    F(dnnl_memory_desc_init_by_tag) \
    F(dnnl_memory_destroy) \
    F(dnnl_memory_get_data_handle) \
    F(dnnl_memory_set_data_handle_v2) \
    F(dnnl_memory_get_engine) \
    F(dnnl_memory_get_memory_desc) \
    F(dnnl_pooling_backward_desc_init) \
    F(dnnl_pooling_forward_desc_init) \
    F(dnnl_post_ops_append_eltwise) \
    F(dnnl_post_ops_create) \
    F(dnnl_post_ops_destroy) \
    F(dnnl_primitive_attr_create) \
    F(dnnl_primitive_attr_destroy) \
    F(dnnl_primitive_attr_set_post_ops) \
    F(dnnl_primitive_attr_set_scratchpad_mode) \
    F(dnnl_primitive_create) \
    F(dnnl_primitive_desc_destroy) \
    F(dnnl_primitive_desc_iterator_create) \
    F(dnnl_primitive_desc_iterator_destroy) \
    F(dnnl_primitive_desc_iterator_fetch) \
    F(dnnl_primitive_desc_query_md) \
    F(dnnl_primitive_destroy) \
    F(dnnl_primitive_execute) \
    F(dnnl_reorder_primitive_desc_create) \
    F(dnnl_stream_create) \
    F(dnnl_stream_destroy)

#define DECLARE(f) decltype(&::f) f##_ = nullptr;
DNNL_USED(DECLARE)
#undef DECLARE

// open finds every function in the library at path; the message is empty when all is well.
inline std::string open(const char *path) {
    void *lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!lib) return dlerror();
    std::string missing;
#define FIND(f) \
    if (!(f##_ = (decltype(f##_))dlsym(lib, #f))) missing = #f;
    DNNL_USED(FIND)
#undef FIND
    return missing.empty() ? "" : std::string(path) + " lacks " + missing;
}

}  // namespace library

#define dnnl_dilated_convolution_backward_data_desc_init library::dnnl_dilated_convolution_backward_data_desc_init_
#define dnnl_dilated_convolution_backward_weights_desc_init library::dnnl_dilated_convolution_backward_weights_desc_init_
#define dnnl_dilated_convolution_forward_desc_init library::dnnl_dilated_convolution_forward_desc_init_
#define dnnl_engine_create library::dnnl_engine_create_
#define dnnl_engine_destroy library::dnnl_engine_destroy_
#define dnnl_inner_product_backward_data_desc_init library::dnnl_inner_product_backward_data_desc_init_
#define dnnl_inner_product_backward_weights_desc_init library::dnnl_inner_product_backward_weights_desc_init_
#define dnnl_inner_product_forward_desc_init library::dnnl_inner_product_forward_desc_init_
#define dnnl_memory_create library::dnnl_memory_create_
#define dnnl_memory_desc_equal library::dnnl_memory_desc_equal_
#define dnnl_memory_desc_get_size library::dnnl_memory_desc_get_size_
#define dnnl_memory_desc_init_by_tag library::dnnl_memory_desc_init_by_tag_
#define dnnl_memory_destroy library::dnnl_memory_destroy_
#define dnnl_memory_get_data_handle library::dnnl_memory_get_data_handle_
#define dnnl_memory_set_data_handle_v2 library::dnnl_memory_set_data_handle_v2_
#define dnnl_memory_get_engine library::dnnl_memory_get_engine_
#define dnnl_memory_get_memory_desc library::dnnl_memory_get_memory_desc_
#define dnnl_pooling_backward_desc_init library::dnnl_pooling_backward_desc_init_
#define dnnl_pooling_forward_desc_init library::dnnl_pooling_forward_desc_init_
#define dnnl_post_ops_append_eltwise library::dnnl_post_ops_append_eltwise_
#define dnnl_post_ops_create library::dnnl_post_ops_create_
#define dnnl_post_ops_destroy library::dnnl_post_ops_destroy_
#define dnnl_primitive_attr_create library::dnnl_primitive_attr_create_
#define dnnl_primitive_attr_destroy library::dnnl_primitive_attr_destroy_
#define dnnl_primitive_attr_set_post_ops library::dnnl_primitive_attr_set_post_ops_
#define dnnl_primitive_attr_set_scratchpad_mode library::dnnl_primitive_attr_set_scratchpad_mode_
#define dnnl_primitive_create library::dnnl_primitive_create_
#define dnnl_primitive_desc_destroy library::dnnl_primitive_desc_destroy_
#define dnnl_primitive_desc_iterator_create library::dnnl_primitive_desc_iterator_create_
#define dnnl_primitive_desc_iterator_destroy library::dnnl_primitive_desc_iterator_destroy_
#define dnnl_primitive_desc_iterator_fetch library::dnnl_primitive_desc_iterator_fetch_
#define dnnl_primitive_desc_query_md library::dnnl_primitive_desc_query_md_
#define dnnl_primitive_destroy library::dnnl_primitive_destroy_
#define dnnl_primitive_execute library::dnnl_primitive_execute_
#define dnnl_reorder_primitive_desc_create library::dnnl_reorder_primitive_desc_create_
#define dnnl_stream_create library::dnnl_stream_create_
#define dnnl_stream_destroy library::dnnl_stream_destroy_

#include "oneapi/dnnl/dnnl.hpp"
