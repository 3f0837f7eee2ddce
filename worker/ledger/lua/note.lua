-- note(now, action, count): what is done elsewhere, such as a request to a vendor, stands in the audit.
audit(ARGV[2], tonumber(ARGV[3]))
return 1
