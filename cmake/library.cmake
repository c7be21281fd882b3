include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(altmin_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/altmin)
set(altmin_pkg_config_dir ${CMAKE_INSTALL_DATAROOTDIR}/pkgconfig) # not LIBDIR: headers suit every architecture
cmake_path(RELATIVE_PATH CMAKE_INSTALL_FULL_INCLUDEDIR
  BASE_DIRECTORY ${CMAKE_INSTALL_PREFIX}/${altmin_pkg_config_dir} OUTPUT_VARIABLE altmin_include_from_pc)

# altmin_headers(VARIABLE NAME...)
# The headers of include/altmin of these names, or in these folders.
function(altmin_headers variable)
  set(found)
  foreach(name IN LISTS ARGN)
    set(path ${PROJECT_SOURCE_DIR}/include/altmin/${name})
    if(IS_DIRECTORY ${path})
      file(GLOB files CONFIGURE_DEPENDS ${path}/*.hpp)
      list(APPEND found ${files})
    else()
      list(APPEND found ${path})
    endif()
  endforeach()
  set(${variable} ${found} PARENT_SCOPE)
endfunction()

# altmin_library(NAME HEADERS file... LINK target... PKG_CONFIG package...)
# Defines altmin::NAME, the header library itself or a component of it, from CMake targets and pkg-config packages. Each
# has an export file and a .pc file of its own, so that a user of one needs the packages of that one alone.
function(altmin_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "HEADERS;LINK;PKG_CONFIG")
  if(name STREQUAL "altmin")
    set(target altmin)
  else()
    set(target altmin_${name})
  endif()
  add_library(${target} INTERFACE)
  add_library(altmin::${name} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
  target_compile_features(${target} INTERFACE cxx_std_17)
  target_link_libraries(${target} INTERFACE ${arg_LINK})
  target_sources(${target} INTERFACE FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR}/include FILES ${arg_HEADERS})

  install(TARGETS ${target} EXPORT altmin-${name} FILE_SET HEADERS)
  install(EXPORT altmin-${name} NAMESPACE altmin:: DESTINATION ${altmin_package_dir})

  string(REPLACE _ - package ${target})
  list(JOIN arg_PKG_CONFIG ", " requires)
  configure_file(cmake/altmin.pc.in ${package}.pc @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/${package}.pc DESTINATION ${altmin_pkg_config_dir})
endfunction()

# The target altmin::compiled: instantiations that a program which links it need not compile, of the library and of the
# components that are there. It is built with this project's architecture flags; a program built with others fails to
# link, see include/altmin/compiled.hpp.
function(altmin_compiled_library)
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/compiled/*.cpp)
  list(FILTER sources EXCLUDE REGEX "/(data|io)\\.cpp$")
  add_library(altmin_compiled STATIC ${sources})
  add_library(altmin::compiled ALIAS altmin_compiled)
  set_target_properties(altmin_compiled PROPERTIES
    EXPORT_NAME compiled OUTPUT_NAME altmin POSITION_INDEPENDENT_CODE ON) # so that shared libraries can link it
  target_link_libraries(altmin_compiled PUBLIC altmin::altmin)
  target_compile_definitions(altmin_compiled PUBLIC ALTMIN_COMPILED)
  foreach(component IN ITEMS data io)
    if(TARGET altmin::${component})
      string(TOUPPER ${component} name)
      target_sources(altmin_compiled PRIVATE ${PROJECT_SOURCE_DIR}/cmake/compiled/${component}.cpp)
      target_link_libraries(altmin_compiled PUBLIC altmin::${component})
      target_compile_definitions(altmin_compiled PUBLIC ALTMIN_COMPILED_${name})
    endif()
  endforeach()
  install(TARGETS altmin_compiled EXPORT altmin-compiled ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(EXPORT altmin-compiled NAMESPACE altmin:: DESTINATION ${altmin_package_dir})
endfunction()

# What find_package(altmin) reads.
function(altmin_install_package)
  configure_package_config_file(
    cmake/altminConfig.cmake.in altminConfig.cmake INSTALL_DESTINATION ${altmin_package_dir})
  # Before 1.0 a minor version may break its users.
  write_basic_package_version_file(altminConfigVersion.cmake COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
  install(
    FILES ${CMAKE_CURRENT_BINARY_DIR}/altminConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/altminConfigVersion.cmake
    DESTINATION ${altmin_package_dir})
endfunction()
