# Action Cable of Rails under puma: ruby actioncable_app.rb PORT. TOKEN: who does not show it is turned away; empty: nobody is.
require "logger"
require "action_cable"
require "puma"
require "puma/configuration"
require "puma/launcher"
require "active_support/security_utils"
require "rack"

TOKEN = ENV.fetch("TOKEN", "")

module ApplicationCable
  class Connection < ActionCable::Connection::Base
    identified_by :user

    def connect
      shown = request.headers["Authorization"].to_s.delete_prefix("Bearer ")
      reject_unauthorized_connection unless TOKEN.empty? || ActiveSupport::SecurityUtils.secure_compare(shown, TOKEN)
      self.user = "somebody"
    end
  end
end

class NewsChannel < ActionCable::Channel::Base
  def subscribed
    stream_from "news"
  end
end

config = ActionCable::Server::Base.config
config.cable = { "adapter" => "async" }
config.logger = Logger.new($stderr, level: Logger::WARN)
config.connection_class = -> { ApplicationCable::Connection }
config.allow_same_origin_as_host = true
config.mount_path = "/cable"

application = lambda do |env|
  case env["PATH_INFO"]
  when "/cable" then ActionCable.server.call(env)
  when "/up" then [200, { "Content-Type" => "text/html" }, ['<body style="background-color: green"></body>']]
  else [404, { "Content-Type" => "text/plain" }, ["not found"]]
  end
end

settings = Puma::Configuration.new do |puma|
  puma.bind "tcp://127.0.0.1:#{ARGV[0]}"
  puma.threads 2, 8
  puma.app application
  puma.quiet
end
Puma::Launcher.new(settings).run
