# shellcheck shell=bash
# ./mcs bench [--quick] [SECTION...]: what the service costs beside the least that its components can do.

bench_packages=(wrk gnuplot-nox strace valgrind)

cmd_bench() {
	((EUID == 0)) || die 'the bench needs root (it stops, traces and counts processes of the user mcs)'
	need_packages "${program_packages[@]}" "${test_packages[@]}" "${bench_packages[@]}"
	forget_settings
	build_programs release all tools bench
	exec bash -p "$here/bench/run" "$@"
}
