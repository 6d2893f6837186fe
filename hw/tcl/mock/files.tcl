# SPDX-License-Identifier: Apache-2.0
#
# Files of a project.

mock::define add_files {-norecurse flag} {files...} {
    need_project
    foreach path $files {
        if {![file isfile $path]} {
            refuse "Vivado 12-172" "add_files: file or directory '$path' does not exist."
        }
        create file [file normalize $path] [list NAME [file tail $path]]
    }
    return $files
}

mock::define get_files {-quiet flag} {pattern} {
    need_project
    return [answer $opt(-quiet) file $pattern [objects file [list $pattern]]]
}

mock::define make_wrapper {-files value -top flag} {} {
    need "make_wrapper -files" $opt(-files) file
    if {!$opt(-top)} {
        refuse "BD 41-1" "make_wrapper: -top or -testbench is wanted."
    }
    if {[file extension $opt(-files)] ne ".bd"} {
        refuse "BD 41-1" "make_wrapper: $opt(-files) is no block design."
    }
    if {!$s(validated)} {
        refuse "BD 41-1" "make_wrapper: the block design was not validated and saved."
    }
    set path [file join [output_folder] hdl cnnaccel_wrapper.v]
    set ports [objects port]
    write_text $path "// Made by cnnaccel's mock of Vivado.\nmodule cnnaccel_wrapper;\
        // [join $ports {, }]\n  cnnaccel cnnaccel_i ();\nendmodule\n"
    return $path
}

mock::define generate_target {} {kind file} {
    need generate_target $file file
    if {$kind ne "all" || [file extension $file] ne ".bd"} {
        refuse "Vivado 12-1" "generate_target: '$kind' of '$file' is not known."
    }
    if {!$s(validated)} {
        refuse "BD 41-1" "generate_target: the block design was not validated and saved."
    }
    write_text [file join [output_folder] hw_handoff cnnaccel.hwh] [hwh]
    set s(generated) 1
    return
}

# Where products of the block design go, which 2020.2 moved.
proc mock::output_folder {} {
    variable s
    set kind [expr {[since 2020.2] ? "gen" : "srcs"}]
    return [file join $s(directory) $s(project).$kind sources_1 bd $s(design)]
}
